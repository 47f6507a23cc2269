// Calls that stay in the process: no link, no bytes.
import { RpcNode, systemClock, type RpcTable } from '@rts/rpc'

class Purse {
  static readonly rpc = { add: 'server' } as const satisfies RpcTable<Purse>
  coins = 0
  add(count: number): number {
    return (this.coins += count)
  }
}

class Avatar {
  static readonly rpc = {}
  static readonly components = { purse: Purse }
  readonly purse: Purse = new Purse()
}

const BATCH = 10_000

/** Awaited calls per second of a component's synchronous method. */
export async function localCallRate(sliceMs: number): Promise<number> {
  const node = new RpcNode({ id: 'home' })
  const avatar = new Avatar()
  node.serve('avatar', avatar)
  const remote = node.entity<typeof Avatar>({ id: 'avatar' })
  let calls = 0
  let elapsed = 0
  const start = systemClock.now()
  do {
    for (let i = 0; i < BATCH; i++) await remote.purse.add(1)
    calls += BATCH
    elapsed = systemClock.now() - start
  } while (elapsed < sliceMs)
  if (avatar.purse.coins !== calls || (await remote.purse.add(1)) !== calls + 1) {
    throw new Error(`${calls} calls added ${avatar.purse.coins}`)
  }
  await node.close()
  return (calls / elapsed) * 1000
}
