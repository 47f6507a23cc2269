// What a flood with forged addresses looks like to the listener, as fast as asked for: hellos without a token, or
// datagrams of sessions that are open, with tags that are wrong.
import { createSocket, type Socket } from 'node:dgram'
import { HELLO_NONCE_AT, KIND, writeHeader, writeU32 } from '../../src/socket/datagram.ts'
import { helloOf } from '../../test/support/hello.ts'

const [port = '0', perSecond = '50000'] = process.argv.slice(2)
/** Each with an address in a /24 of its own, where the system lets programs have all of 127/8. */
const SOURCES = 256
const SEALED_BYTES = 100
/** Beyond what sessions have sent themselves: not one of these is a replay. */
const FIRST_COUNTER = 1_000_000_000
const hello = helloOf(new Uint8Array(8))
const sealed = new Uint8Array(SEALED_BYTES)
let received = 0
let sent = 0
let sentBytes = 0
/** Of the sessions; without any, it is a flood of hellos. */
let convs: readonly number[] = []

function openAt(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port: 0, exclusive: true }, () =>
      socket.connect(Number(port), '127.0.0.1', () => {
        socket.on('error', () => {})
        socket.on('message', (bytes) => (received += bytes.length))
        resolve(socket)
      }),
    )
  })
}
const addresses = Array.from(
  { length: SOURCES },
  (_, i) => `127.${1 + (i >> 4)}.${(i * 7 + 1) & 0xff}.${1 + (i % 250)}`,
)
const sockets = await Promise.all(addresses.map(openAt)).catch(async () => [
  await openAt('127.0.0.1'),
])

/** What was missed while the process did not run is made up for in steps, not in one burst. */
const MAX_BURST = Number(perSecond) / 250
function next(): Uint8Array {
  if (convs.length === 0) {
    writeU32(hello, HELLO_NONCE_AT, sent)
    return hello
  }
  writeHeader(sealed, 0, KIND.kcp, convs[sent % convs.length]!, FIRST_COUNTER + sent)
  return sealed
}

let timer: NodeJS.Timeout | undefined
process.on('message', (question: { begin?: true; stop?: true; convs?: readonly number[] }) => {
  convs = question.convs ?? convs
  if (question.begin) {
    const began = performance.now()
    const before = sent
    timer = setInterval(() => {
      const elapsed = performance.now() - began
      const due = before + Math.floor((elapsed * Number(perSecond)) / 1000)
      for (const end = Math.min(due, sent + MAX_BURST); sent < end; sent += 1) {
        const datagram = next()
        sentBytes += datagram.length
        // Sent at once on a connected socket; a copy would only make the flood slower.
        sockets[sent % sockets.length]!.send(datagram)
      }
    }, 1)
  }
  if (question.stop) clearInterval(timer)
  process.send?.({ sent, sentBytes, received, sources: sockets.length })
})
process.send?.({ ready: true })
