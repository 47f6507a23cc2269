// Sessions of one process, each on a socket of its own, as a program has that connects to many servers.
import { connect, type KcpSession } from '../../src/index.ts'

const [port = '0', warm = '0', count = '0'] = process.argv.slice(2)
const BATCH = 50
const sessions: KcpSession[] = []

async function open(until: number): Promise<void> {
  while (sessions.length < until) {
    const size = Math.min(BATCH, until - sessions.length)
    const batch = Array.from({ length: size }, () =>
      connect({ host: '127.0.0.1', port: Number(port), connectTimeoutMs: 60_000 }),
    )
    for (const session of await Promise.all(batch)) {
      session.onMessage = () => {}
      sessions.push(session)
    }
  }
}

process.on('message', (question: 'open' | 'cost') => {
  void (async () => {
    if (question === 'open') await open(Number(warm) + Number(count))
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    const openCount = sessions.filter(({ isOpen }) => isOpen).length
    process.send?.({ heapUsed, external, open: openCount })
  })()
})
// What all of them share is there before the first measurement.
await open(Number(warm))
process.send?.({ ready: true })
