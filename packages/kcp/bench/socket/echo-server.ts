// An echo server in a process of its own: `bare` dgram, `raw` KCP or an `authenticated` session. `drop` is bare
// dgram that answers nothing.
import { createSocket } from 'node:dgram'
import { listen, listenRaw, type KcpSession } from '../../src/index.ts'

const [mode = 'bare'] = process.argv.slice(2)
const echo = (session: KcpSession): void => {
  session.onMessage = (bytes) => void session.send(bytes)
}

async function start(): Promise<number> {
  const at = { host: '127.0.0.1', port: 0 }
  if (mode === 'raw') {
    const limits = { maxSessions: 10_000, maxSessionsPerAddress: 10_000, allow: () => true }
    return (await listenRaw({ ...at, ...limits, framing: 'stream' }, echo)).port
  }
  if (mode === 'authenticated') {
    const limits = { maxSessionsPerAddress: 10_000, maxHandshakesPerSecond: 100_000 }
    return (await listen({ ...at, ...limits }, echo)).port
  }
  const socket = createSocket({
    type: 'udp4',
    // As good as a bare echo gets: no lookup between a send and its system call.
    lookup: (name, _options, done) => done(null, name, 4),
  })
  if (mode === 'drop') socket.on('message', () => {})
  else socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address))
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve)
    if (socket.listenerCount('listening') > 0) setImmediate(resolve)
  })
  socket.setRecvBufferSize(4 * 1024 * 1024)
  return socket.address().port
}

const port = await start()
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuUs: user + system })
})
process.send?.({ port })
