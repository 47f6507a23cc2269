// What a flood with forged addresses looks like to the listener, as fast as asked for: hellos without a token, or
// datagrams of sessions that are open, with tags that are wrong.
import { createSocket, type BindOptions, type Socket } from 'node:dgram'
import { HELLO_NONCE_AT, KIND, writeHeader, writeU32 } from '../../src/socket/datagram.ts'
import { helloOf } from '../../test/support/hello.ts'
import { FLOOD_BYTES, type FloodKind } from './flooders.ts'

const [port, perSecond, kind, addresses = '', fds = ''] = process.argv.slice(2)
/** Beyond what sessions have sent themselves: not one of these is a replay. */
const FIRST_COUNTER = 1_000_000_000
const hello = helloOf(new Uint8Array(8))
const datagramBytes = FLOOD_BYTES[kind as FloodKind]
/** Of one call, where sockets were given whose datagrams the kernel cuts. */
const atOnce = fds === '' ? 1 : 64
const datagrams = new Uint8Array(atOnce * datagramBytes)
let received = 0
let sent = 0
let sentBytes = 0
/** Of the sessions that what is sealed names. */
let convs: readonly number[] = []

function openSocket(options: BindOptions): Promise<Socket> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ ...options, exclusive: true }, () =>
      socket.connect(Number(port), '127.0.0.1', () => {
        socket.on('error', () => {})
        socket.on('message', (bytes) => (received += bytes.length))
        resolve(socket)
      }),
    )
  })
}
const openEach = (sources: readonly BindOptions[]): Promise<Socket[]> =>
  Promise.all(sources.map(openSocket))
const sockets =
  fds === ''
    ? await openEach(addresses.split(',').map((address) => ({ address, port: 0 }))).catch(() =>
        openEach([{ address: '127.0.0.1', port: 0 }]),
      )
    : await openEach(fds.split(',').map((fd) => ({ fd: Number(fd) })))

function write(at: number): void {
  if (kind === 'hellos') {
    datagrams.set(hello, at)
    writeU32(datagrams, at + HELLO_NONCE_AT, sent)
  } else writeHeader(datagrams, at, KIND.kcp, convs[sent % convs.length]!, FIRST_COUNTER + sent)
}

/** What was missed while the process did not run is made up for in steps, not in one burst. */
const MAX_BURST = Number(perSecond) / 250
let timer: NodeJS.Timeout | undefined
let calls = 0
process.on('message', (question: { begin?: true; stop?: true; convs?: readonly number[] }) => {
  convs = question.convs ?? convs
  if (question.begin) {
    const began = performance.now()
    const before = sent
    timer = setInterval(() => {
      const elapsed = performance.now() - began
      const due = before + Math.floor((elapsed * Number(perSecond)) / 1000)
      const end = Math.min(due, sent + MAX_BURST) - atOnce
      while (sent <= end) {
        for (let i = 0; i < atOnce; i += 1, sent += 1) write(i * datagramBytes)
        sentBytes += datagrams.length
        calls += 1
        // Sent at once on a connected socket; a copy would only make the flood cost more.
        sockets[calls % sockets.length]!.send(datagrams)
      }
    }, 1)
  }
  if (question.stop) clearInterval(timer)
  const { user, system } = process.cpuUsage()
  const cpuUs = user + system
  process.send?.({ cpuUs, sent, sentBytes, received, calls, sources: sockets.length })
})
process.send?.({ ready: true })
