// Many sessions in a process of their own: idle, or each with so many messages a second whose round trip is measured.
import { connect } from '../../src/index.ts'
import { openUdpSocket } from '../../src/socket/udp-socket.ts'
import { sharedSockets } from './shared-sockets.ts'

const [port = '0', count = '0', mode = 'sessions', perSocket = '50'] = process.argv.slice(2)
const target = { host: '127.0.0.1', port: Number(port) }
const BATCH = 100
const SOCKETS = Math.ceil(Number(count) / Number(perSocket))
const BUFFER_BYTES = 1024 * 1024
const MESSAGE_BYTES = 64
const MAX_LATE_MS = 10

interface Peer {
  readonly isOpen: boolean
  readonly conv?: number
  stats?(): { readonly timeoutResends: number; readonly fastResends: number }
  send(bytes: Uint8Array): unknown
}

let samples: number[] = []
function take(bytes: Uint8Array): void {
  const at = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
  samples.push(performance.now() - at)
}

async function openSessions(): Promise<Peer[]> {
  const openSocket = sharedSockets(SOCKETS, BUFFER_BYTES)
  const sessions: Peer[] = []
  while (sessions.length < Number(count)) {
    const size = Math.min(BATCH, Number(count) - sessions.length)
    const batch = Array.from({ length: size }, async () => {
      const session = await connect({ ...target, connectTimeoutMs: 60_000, openSocket })
      session.onMessage = take
      return session
    })
    sessions.push(...(await Promise.all(batch)))
  }
  return sessions
}

/** The same load without sessions: what the machine and this process make of it by themselves. */
async function openBare(): Promise<Peer[]> {
  const options = { connect: target, reusePort: false, bufferBytes: BUFFER_BYTES }
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => openUdpSocket(options)))
  for (const socket of sockets) socket.onDatagram = take
  return Array.from({ length: Number(count) }, (_, i) => {
    const socket = sockets[i % SOCKETS]!
    const send = (bytes: Uint8Array): void =>
      void socket.send(bytes, 0, bytes.length, target.port, target.host)
    return { isOpen: true, send }
  })
}

const peers = await (mode === 'bare' ? openBare() : openSessions())
let sent = 0
let ticks: number[] = []
const message = new Uint8Array(MESSAGE_BYTES)
const view = new DataView(message.buffer)
let timer: NodeJS.Timeout | undefined
/** Every session sends `hz` times a second, their phases spread evenly. */
function load(hz: number): void {
  const began = performance.now()
  let next = 0
  let tickedMs = began
  const perMs = (peers.length * hz) / 1000
  timer = setInterval(
    () => {
      const now = performance.now()
      ticks.push(now - tickedMs)
      tickedMs = now
      const due = Math.floor((now - began) * perMs)
      // A process that did not run for a while leaves out what it missed: a burst of it would be another load.
      next = Math.max(next, due - Math.ceil(perMs * MAX_LATE_MS))
      for (; next < due; next += 1) {
        view.setFloat64(0, performance.now())
        peers[next % peers.length]!.send(message)
        sent += 1
      }
    },
    Math.max(1, Math.floor(1 / perMs)),
  )
}

const at = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0

process.on('message', (question: { hz?: number; stop?: true; take?: true }) => {
  if (question.hz !== undefined) load(question.hz)
  if (question.stop) clearInterval(timer)
  const { user, system } = process.cpuUsage()
  process.send?.({
    cpuUs: user + system,
    echoes: samples.length,
    sent,
    p50: at(samples, 0.5),
    p99: at(samples, 0.99),
    tickP99: at(ticks, 0.99),
    resends: peers.reduce((sum, peer) => {
      const { timeoutResends = 0, fastResends = 0 } = peer.stats?.() ?? {}
      return sum + timeoutResends + fastResends
    }, 0),
    open: peers.filter(({ isOpen }) => isOpen).length,
  })
  if (question.take) {
    samples = []
    ticks = []
    sent = 0
  }
})
process.send?.({ convs: peers.map(({ conv }) => conv) })
