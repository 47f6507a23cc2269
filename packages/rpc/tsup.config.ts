import { library } from '../../tsup.base.ts'

export default library({
  index: 'src/index.ts',
  client: 'src/client.ts',
  tcp: 'src/tcp.ts',
  kcp: 'src/kcp.ts',
  ws: 'src/ws.ts',
  websocket: 'src/websocket.ts',
  memory: 'src/memory.ts',
  sim: 'src/sim.ts',
  node: 'src/node.ts',
  opentelemetry: 'src/opentelemetry.ts',
})
