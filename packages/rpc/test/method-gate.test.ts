import { expect, test } from 'vitest'
import {
  pool,
  settle,
  withCall,
  type MethodLimit,
  type RpcNode,
  type RpcTable,
} from '../src/index.ts'
import { SimCluster } from './support.ts'

class Kitchen {
  static readonly rpc = {
    cook: ['server', 'player'],
    order: 'server',
  } as const satisfies RpcTable<Kitchen>
  static readonly limits: Record<string, MethodLimit> = {
    cook: { running: 2, waiting: 3 },
    order: { running: 1 },
  }
  readonly cooked: string[] = []
  readonly doors: (() => void)[] = []
  node: RpcNode | undefined
  async cook(dish: string): Promise<string> {
    this.cooked.push(dish)
    await new Promise<void>((resolve) => void this.doors.push(resolve))
    return dish
  }
  async order(depth: number): Promise<number> {
    if (depth === 0) return 0
    return 1 + (await this.node!.service<typeof Kitchen>('kitchen').order(depth - 1))
  }
}
class Chef extends Kitchen {
  static readonly execution = 'serial'
}

async function setUp(kitchen = new Kitchen()) {
  const cluster = new SimCluster()
  const server = cluster.node('server')
  kitchen.node = server
  server.expose('kitchen', kitchen)
  await server.listen('sim://server:1')
  const client = cluster.node('client')
  const remote = client.at<typeof Kitchen>('sim://server:1', 'kitchen')
  return { cluster, clock: cluster.clock, server, client, kitchen, remote }
}

test.each(['over a link', 'in process'])(
  'so many calls of a method run, so many wait, the next fails: %s',
  async (where) => {
    const { cluster, clock, server, kitchen, remote: far } = await setUp()
    const remote = where === 'in process' ? server.service<typeof Kitchen>('kitchen') : far
    const dishes = ['a', 'b', 'c', 'd', 'e', 'f']
    const calls = dishes.map((dish) => settle(remote.cook(dish)))
    await clock.advance(10)
    expect(kitchen.cooked).toEqual(['a', 'b'])
    expect((await calls[5]!)[0]).toMatchObject({ code: 'RPC_OVERLOADED', executed: 'no' })
    expect(server.stats()).toMatchObject({ runningCalls: 5, waitingCalls: 3 })
    while (kitchen.doors.length > 0) {
      kitchen.doors.shift()!()
      await clock.advance(10)
    }
    expect(kitchen.cooked).toEqual(['a', 'b', 'c', 'd', 'e'])
    const results = await cluster.result(Promise.all(calls.slice(0, 5)))
    expect(results.map(([, dish]) => dish)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(server.stats()).toMatchObject({ runningCalls: 0, waitingCalls: 0 })
  },
)

test('the waiting ones go by priority, then in order; a withdrawn or late one never runs', async () => {
  const { cluster, clock, kitchen, remote } = await setUp()
  const controller = new AbortController()
  const { signal } = controller
  const calls = [
    remote.cook('a'),
    remote.cook('b'),
    withCall(remote, { signal }).cook('gone'),
    withCall(remote, { priority: -1, timeoutMs: 1000 }).cook('late'),
    withCall(remote, { priority: 1 }).cook('first'),
  ].map((call) => settle(call))
  await clock.advance(10)
  controller.abort(new Error('gone'))
  await clock.advance(10)
  const again = settle(remote.cook('second'))
  await clock.advance(10)
  kitchen.doors.shift()!()
  await clock.advance(10)
  expect(kitchen.cooked).toEqual(['a', 'b', 'first'])
  kitchen.doors.shift()!()
  await clock.advance(10)
  expect(kitchen.cooked).toEqual(['a', 'b', 'first', 'second'])
  await clock.advance(1000)
  expect((await calls[3]!)[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'no' })
  for (const open of kitchen.doors) open()
  await cluster.result(Promise.all([...calls, again]))
  expect(kitchen.cooked).toEqual(['a', 'b', 'first', 'second'])
})

test('a call made for one that runs in the gate passes it', async () => {
  const { cluster, remote } = await setUp()
  expect(await cluster.result(remote.order(3))).toBe(3)
})

test('behind the gate is still the mailbox', async () => {
  const { cluster, clock, kitchen, remote } = await setUp(new Chef())
  const calls = ['a', 'b', 'c', 'd'].map((dish) => remote.cook(dish))
  await clock.advance(10)
  expect(kitchen.cooked).toEqual(['a'])
  for (let i = 0; i < 4; i++) {
    kitchen.doors.shift()!()
    await clock.advance(10)
  }
  expect(await cluster.result(Promise.all(calls))).toEqual(['a', 'b', 'c', 'd'])
})

test('a mailbox takes the larger priority first, a player’s counts for nothing', async () => {
  const run = async (isServer: boolean): Promise<string[]> => {
    const cluster = new SimCluster()
    const server = cluster.node('server', { trustLoopback: isServer })
    const client = cluster.node('client', { trustLoopback: isServer })
    class Serial {
      static readonly rpc = { cook: ['server', 'player'] } as const
      static readonly execution = 'serial'
      readonly kitchen = new Kitchen()
      cook(dish: string): Promise<string> {
        return this.kitchen.cook(dish)
      }
    }
    const serial = new Serial()
    server.expose('serial', serial)
    await server.listen('sim://server:1')
    const remote = client.at<typeof Serial>('sim://server:1', 'serial')
    const calls = [0, 0, 5, -5, 5].map((priority, i) =>
      withCall(remote, { priority }).cook(`${priority}/${i}`),
    )
    for (let i = 0; i < 5; i++) {
      await cluster.clock.advance(10)
      serial.kitchen.doors.shift()!()
    }
    await cluster.result(Promise.all(calls))
    return serial.kitchen.cooked
  }
  expect(await run(true)).toEqual(['0/0', '5/2', '5/4', '0/1', '-5/3'])
  expect(await run(false)).toEqual(['0/0', '0/1', '5/2', '-5/3', '5/4'])
})

test('a pool does too', async () => {
  const disk = pool({ limit: 1 })
  const order: number[] = []
  const runs = [0, 0, 5, -5, 5].map((priority, i) =>
    disk.run(async () => void order.push(i), { priority }),
  )
  await Promise.all(runs)
  expect(order).toEqual([0, 2, 4, 1, 3])
})

test('a limit that makes no sense is a TypeError when it is exposed', async () => {
  const { server } = await setUp()
  for (const limit of [{ running: 0 }, { running: 1, waiting: -1 }, { running: 1.5 }]) {
    class Wrong {
      static readonly rpc = { run: 'server' } as const
      static readonly limits = { run: limit }
      run(): void {}
    }
    expect(() => server.expose('wrong', new Wrong())).toThrow(TypeError)
  }
})
