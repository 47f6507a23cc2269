// A listener with many sessions in a process of its own, which echoes and tells what it costs.
import { listen } from '../../src/index.ts'

const listener = await listen(
  {
    host: '127.0.0.1',
    port: 0,
    maxSessionsPerAddress: 100_000,
    maxHandshakesPerSecond: 100_000,
  },
  (session) => {
    session.onMessage = (bytes) => void session.send(bytes)
  },
)
process.on('message', (question) => {
  const { user, system } = process.cpuUsage()
  // Collecting costs time of its own: only where memory is asked for.
  if (question === 'cost') {
    globalThis.gc?.()
    // Array buffers are swept beside the program; the next collection waits for that.
    globalThis.gc?.()
  }
  const { heapUsed, rss, external } = process.memoryUsage()
  process.send?.({
    cpuUs: user + system,
    heapUsed,
    rss,
    external,
    sessions: listener.sessionCount,
    counters: listener.counters(),
  })
})
process.send?.({ port: listener.port })
