// Hellos without a token, as fast as asked for: what a flood with forged addresses looks like to the listener.
import { createSocket } from 'node:dgram'
import { HELLO_NONCE_AT } from '../../src/socket/datagram.ts'
import { helloOf } from '../../test/support/hello.ts'

const [port = '0', perSecond = '50000'] = process.argv.slice(2)
const hello = helloOf(new Uint8Array(8))
const socket = createSocket('udp4')
let received = 0
let sent = 0
socket.on('message', (bytes) => (received += bytes.length))
socket.on('error', () => {})
await new Promise<void>((resolve) => {
  socket.connect(Number(port), '127.0.0.1', resolve)
})
/** What was missed while the process did not run is made up for in steps, not in one burst. */
const MAX_BURST = Number(perSecond) / 250
let timer: NodeJS.Timeout | undefined
process.on('message', (question: { begin?: true; stop?: true }) => {
  if (question.begin) {
    const began = performance.now()
    const before = sent
    timer = setInterval(() => {
      const elapsed = performance.now() - began
      const due = before + Math.floor((elapsed * Number(perSecond)) / 1000)
      for (const end = Math.min(due, sent + MAX_BURST); sent < end; sent += 1) {
        hello[HELLO_NONCE_AT] = sent
        hello[HELLO_NONCE_AT + 1] = sent >>> 8
        hello[HELLO_NONCE_AT + 2] = sent >>> 16
        // Sent at once on a connected socket; a copy would only make the flood slower.
        socket.send(hello)
      }
    }, 1)
  }
  if (question.stop) clearInterval(timer)
  process.send?.({ sent, sentBytes: sent * hello.length, received })
})
process.send?.({ ready: true })
