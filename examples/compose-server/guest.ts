// A guest in the terminal: guest.ts <url of the rooms> <name>. What you type is said; "/in 5 tea" says it in 5 s.
import { createInterface } from 'node:readline'
import { RpcNode } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { Guest, type Rooms } from './src/rooms.ts'

class Terminal extends Guest {
  hear(text: string): void {
    console.log(text)
  }
}

const [url = '', name = 'somebody'] = process.argv.slice(2)
await using node = new RpcNode({ id: name, transports: [tcp()] })
node.expose('guest', new Terminal())

const peer = await node.connect(url)
peer.on('closed', () => process.exit())
const rooms = peer.service<typeof Rooms, 'player'>('rooms')
console.log(`the lantern will burn until ${await rooms.enter('square')} o'clock`)

for await (const line of createInterface({ input: process.stdin })) {
  const [, seconds, text] = /^\/in (\d+) (.+)/.exec(line) ?? [line, '0', line]
  await rooms.say(text ?? '', Number(seconds) * 1000)
}
