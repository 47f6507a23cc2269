import { createServer } from 'node:http'
import { newWebSocketRpcSession, RpcTarget } from 'capnweb'
import { WebSocket as Socket, WebSocketServer } from 'ws'
import type { Contender } from './contender.ts'
import { portOf } from './port.ts'

class Echo extends RpcTarget {
  echo(text: string): string {
    return text
  }
}

export const capnWeb: Contender = {
  async serve() {
    const http = createServer()
    new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) => {
      newWebSocketRpcSession(socket as unknown as WebSocket, new Echo())
    })
    return `ws://127.0.0.1:${await portOf(http)}`
  },
  async connect(address) {
    const socket = new Socket(address, { perMessageDeflate: false })
    const remote = newWebSocketRpcSession<Echo>(socket as unknown as WebSocket)
    return { echo: async (text) => remote.echo(text) }
  },
}
