// `pnpm --filter @rts-example/hello-rpc start`: a lobby and a game, two nodes that talk over TCP.
import { notify, RpcNode, settle, type Remote, type RpcTable } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'

class Bag {
  static readonly rpc = { add: 'server' } as const satisfies RpcTable<Bag>
  readonly items: string[] = []
  add(item: string): number {
    return this.items.push(item)
  }
}

class Avatar {
  static readonly rpc = { hear: 'server' } as const satisfies RpcTable<Avatar>
  static readonly components = { bag: Bag }
  readonly bag: Bag = new Bag()
  hear(text: string): void {
    console.log(`kim hears: ${text}`)
  }
}

class Lobby {
  static readonly rpc = {
    greet: 'server',
    shop: 'server',
    countdown: 'server',
  } as const satisfies RpcTable<Lobby>
  greet(name: string): string {
    if (name === '') throw Object.assign(new Error('who are you?'), { code: 'NO_NAME' })
    return `hello, ${name}`
  }
  /** The buyer lives at the other node: the remote that was passed leads there. */
  async shop(buyer: Remote<typeof Avatar>): Promise<number> {
    notify(buyer).hear('have a lamp')
    return buyer.bag.add('lamp')
  }
  async *countdown(from: number): AsyncGenerator<number> {
    for (let left = from; left > 0; left--) yield left
  }
}

// `trustLoopback` is for one machine; a cluster has a key or certificates.
const options = { transports: [tcp()], trustLoopback: true }
await using lobbyNode = new RpcNode({ id: 'lobby_0', ...options })
await using gameNode = new RpcNode({ id: 'game_0', ...options })
lobbyNode.expose('lobby', new Lobby())
const { url } = await lobbyNode.listen('tcp://127.0.0.1:0')
await gameNode.listen('tcp://127.0.0.1:0')
gameNode.serve('kim', new Avatar())

const lobby = gameNode.at<typeof Lobby>(url, 'lobby')
console.log(await lobby.greet('game'))
console.log(`kim has ${await lobby.shop(gameNode.entity<typeof Avatar>({ id: 'kim' }))} thing`)
for await (const left of lobby.countdown(3)) console.log(left)
const [error] = await settle(lobby.greet(''))
console.log(error?.code)
