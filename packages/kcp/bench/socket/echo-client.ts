// Many clients with one message under way each; tells how many came back in the time.
import { createSocket } from 'node:dgram'
import { connect, connectRaw, type KcpSession } from '../../src/index.ts'

const [mode = 'bare', port = '0', clients = '50', bytes = '200'] = process.argv.slice(2)
const payload = new Uint8Array(Number(bytes)).fill(7)
const target = { host: '127.0.0.1', port: Number(port) }
let echoes = 0

const begins: (() => void)[] = []
const ofSession = (session: KcpSession): (() => void) => {
  session.onMessage = () => {
    echoes += 1
    session.send(payload)
  }
  return () => void session.send(payload)
}
for (let i = 0; i < Number(clients); i += 1) {
  if (mode === 'raw') begins.push(ofSession(await connectRaw({ ...target, framing: 'stream' })))
  else if (mode === 'authenticated') begins.push(ofSession(await connect(target)))
  else {
    const socket = createSocket('udp4')
    socket.on('message', () => {
      echoes += 1
      socket.send(payload)
    })
    await new Promise<void>((resolve) => {
      socket.connect(target.port, target.host, resolve)
    })
    begins.push(() => socket.send(payload))
  }
}
process.on('message', (message) => {
  if (message === 'begin') for (const begin of begins) begin()
  process.send?.({ echoes })
})
process.send?.({ ready: true })
