import { createServer } from 'node:http'
import { pack, unpack } from 'msgpackr'
import { WebSocket, WebSocketServer } from 'ws'
import type { Contender } from './contender.ts'
import { portOf } from './port.ts'

interface Message {
  readonly id: number
  readonly method?: string
  readonly args?: readonly [string]
  readonly result?: string
}

/** What one writes in an afternoon: an envelope object, one WebSocket message per call. */
export const naiveWs: Contender = {
  async serve() {
    const http = createServer()
    new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) => {
      socket.on('message', (data: Buffer) => {
        const { id, args } = unpack(data) as Message
        socket.send(pack({ id, result: args?.[0] }))
      })
    })
    return `ws://127.0.0.1:${await portOf(http)}`
  },
  async connect(address) {
    const pending = new Map<number, (result: string) => void>()
    const socket = new WebSocket(address, { perMessageDeflate: false })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    let lastId = 0
    socket.on('message', (data: Buffer) => {
      const { id, result } = unpack(data) as Message
      const done = pending.get(id)
      pending.delete(id)
      done?.(result!)
    })
    return {
      echo: (text) =>
        new Promise((resolve) => {
          const id = ++lastId
          pending.set(id, resolve)
          socket.send(pack({ id, method: 'echo', args: [text] }))
        }),
    }
  },
}
