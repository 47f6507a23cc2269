// Hellos without a token, as fast as asked for: what a flood with forged addresses looks like to the listener.
import { createSocket } from 'node:dgram'
import { authenticated } from '../../src/index.ts'
import { encodeHello } from '../../src/socket/datagram.ts'

const [port = '0', perSecond = '50000'] = process.argv.slice(2)
const key = authenticated().begin((bytes) => crypto.getRandomValues(new Uint8Array(bytes))).hello
const hello = encodeHello({
  nonce: new Uint8Array(8),
  flags: 0,
  idleTimeoutMs: 30_000,
  window: 256,
  token: new Uint8Array(0),
  key,
})
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
        hello[5] = sent
        hello[6] = sent >>> 8
        hello[7] = sent >>> 16
        // Sent at once on a connected socket; a copy would only make the flood slower.
        socket.send(hello)
      }
    }, 1)
  }
  if (question.stop) clearInterval(timer)
  process.send?.({ sent, sentBytes: sent * hello.length, received })
})
process.send?.({ ready: true })
