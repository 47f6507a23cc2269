// Many sessions in a process of their own: idle, or each with so many messages a second whose round trip is measured.
import { connect, type KcpSession } from '../../src/index.ts'

const [port = '0', count = '0'] = process.argv.slice(2)
const BATCH = 100
const sessions: KcpSession[] = []
while (sessions.length < Number(count)) {
  const size = Math.min(BATCH, Number(count) - sessions.length)
  const batch = Array.from({ length: size }, () =>
    connect({
      host: '127.0.0.1',
      port: Number(port),
      connectTimeoutMs: 60_000,
      socketBufferBytes: 65_536,
    }),
  )
  sessions.push(...(await Promise.all(batch)))
}

let samples: number[] = []
let sent = 0
const view = new DataView(new ArrayBuffer(64))
for (const session of sessions) {
  session.onMessage = (bytes) => {
    const at = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
    samples.push(performance.now() - at)
  }
}
let timer: NodeJS.Timeout | undefined
/** Every session sends `hz` times a second, their phases spread evenly. */
function load(hz: number): void {
  const began = performance.now()
  let next = 0
  const perMs = (sessions.length * hz) / 1000
  timer = setInterval(() => {
    const due = Math.floor((performance.now() - began) * perMs)
    for (; next < due; next += 1) {
      view.setFloat64(0, performance.now())
      sessions[next % sessions.length]!.send(new Uint8Array(view.buffer))
      sent += 1
    }
  }, 1)
}

process.on('message', (question: { hz?: number; stop?: true; take?: true }) => {
  if (question.hz !== undefined) load(question.hz)
  if (question.stop) clearInterval(timer)
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0
  process.send?.({
    echoes: samples.length,
    sent,
    p50: at(0.5),
    p99: at(0.99),
    open: sessions.filter(({ isOpen }) => isOpen).length,
  })
  if (question.take) {
    samples = []
    sent = 0
  }
})
process.send?.({ ready: true })
