import { expect, test } from 'vitest'
import type { RpcTable } from '@rts/rpc'
import { startNode, type Root } from '../src/index.ts'
import { TestCluster, TTL_SECONDS, codeOf } from './test-cluster.ts'

class Counter {
  static readonly rpc = { add: 'server', where: 'server' } as const satisfies RpcTable<Counter>
  readonly #node: string
  #value = 0
  constructor(node: string) {
    this.#node = node
  }
  add(by: number): number {
    return (this.#value += by)
  }
  where(): string {
    return this.#node
  }
}

const counters = (id: string) => ({ entities: [Counter], spawn: () => new Counter(id) })

test('a root placed on some node of a role is found and called from every other', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  await cluster.start('game_1', counters('game_1'))
  await cluster.wait(lobby.directory('game').ready())
  const location = await cluster.wait(lobby.place(Counter, 'a', { role: 'game' }))
  expect(location).toEqual({ node: 'game_1', url: 'sim://game_1:1' })
  expect(await cluster.wait(lobby.find(Counter, 'a').add(2))).toBe(2)
  expect(await cluster.wait(lobby.find(Counter, 'a').add(3))).toBe(5)
})

test('many creators of one id get one root', async () => {
  const cluster = new TestCluster()
  const lobbies = [await cluster.start('lobby_1'), await cluster.start('lobby_2')]
  for (const id of ['game_1', 'game_2', 'game_3']) await cluster.start(id, counters(id))
  for (const lobby of lobbies) await cluster.wait(lobby.directory('game').ready({ count: 3 }))
  const placed = await cluster.wait(
    Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        lobbies[index % 2]!.place(Counter, 'same', { role: 'game' }),
      ),
    ),
  )
  expect(new Set(placed.map(({ node }) => node)).size).toBe(1)
})

test('a second owner is refused and told who has the root', async () => {
  const cluster = new TestCluster()
  const one = await cluster.start('game_1', counters('game_1'))
  const two = await cluster.start('game_2', counters('game_2'))
  const root = await cluster.wait(one.create(Counter, 'a'))
  await expect(cluster.wait(two.create(Counter, 'a'))).rejects.toMatchObject({
    code: 'CLUSTER_OWNED_ELSEWHERE',
    data: { node: 'game_1', url: 'sim://game_1:1' },
  })
  await cluster.wait(root.release())
  const next = await cluster.wait(two.create(Counter, 'a'))
  expect(next.fence).toBeGreaterThan(root.fence)
})

test('a remote follows a root to its new owner', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  const one = await cluster.start('game_1', counters('game_1'))
  const two = await cluster.start('game_2', counters('game_2'))
  const root = await cluster.wait(one.create(Counter, 'a'))
  const remote = lobby.find(Counter, 'a')
  expect(await cluster.wait(remote.where())).toBe('game_1')
  await cluster.wait(root.release())
  await cluster.wait(two.create(Counter, 'a'))
  expect(await cluster.wait(remote.where())).toBe('game_2')
})

test('a call to a root nobody owns fails and says that nothing was done', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1', { entities: [Counter] })
  await expect(cluster.wait(lobby.find(Counter, 'nobody').add(1))).rejects.toMatchObject({
    code: 'RPC_UNKNOWN_ENTITY',
    executed: 'no',
  })
})

test('place says so when no node takes the root', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  expect(await codeOf(cluster.wait(lobby.place(Counter, 'a', { role: 'game' })))).toBe(
    'CLUSTER_NO_NODE',
  )
  await cluster.start('game_1')
  await cluster.wait(lobby.directory('game').ready())
  expect(await codeOf(cluster.wait(lobby.place(Counter, 'a', { role: 'game' })))).toBe(
    'CLUSTER_NO_NODE',
  )
})

test('a node whose lease is not surely held answers nothing for its roots, and lets them go', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  const gone: string[] = []
  const game = await cluster.start('game_1', {
    ...counters('game_1'),
    onRootGone: ({ id }) => void gone.push(id),
  })
  const root = await cluster.wait(game.create(Counter, 'a'))
  const remote = lobby.find(Counter, 'a')
  expect(await cluster.wait(remote.add(1))).toBe(1)
  cluster.backend.setAvailable(false)
  await cluster.clock.runUntil(() => cluster.clock.now() >= root.heldUntil, { limitMs: 10_000 })
  expect(['CLUSTER_NOT_OWNER', 'RPC_UNKNOWN_ENTITY']).toContain(
    await codeOf(cluster.wait(remote.add(1))),
  )
  await cluster.clock.advance(1000)
  expect(root.signal.aborted).toBe(true)
  expect(gone).toEqual(['a'])
  expect(game.local(Counter, 'a')).toBeUndefined()
})

test('after a crash the root can be claimed again once the lease has ended, with a higher fence', async () => {
  const cluster = new TestCluster()
  const one = await cluster.start('game_1', counters('game_1'))
  const two = await cluster.start('game_2', counters('game_2'))
  const root = await cluster.wait(one.create(Counter, 'a'))
  cluster.crash('game_1')
  let taken: Root | undefined
  const began = cluster.clock.now()
  const take = async (): Promise<void> => {
    while (taken === undefined) {
      taken = await two.create(Counter, 'a').catch(() => undefined)
      await new Promise<void>((resolve) => void cluster.clock.setTimer(100, resolve))
    }
  }
  await cluster.wait(take())
  expect(taken!.fence).toBeGreaterThan(root.fence)
  expect(cluster.clock.now() - began).toBeLessThanOrEqual(TTL_SECONDS * 1000 + 1000)
})

test('drain takes the node out of every pick and leaves what lives there', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  const game = await cluster.start('game_1', counters('game_1'))
  await cluster.wait(lobby.directory('game').ready())
  await cluster.wait(lobby.place(Counter, 'a', { role: 'game' }))
  await cluster.wait(game.drain())
  await cluster.clock.advance(50)
  expect(lobby.directory('game').pick()).toBeUndefined()
  expect(await cluster.wait(lobby.find(Counter, 'a').add(1))).toBe(1)
})

test('stop leaves the registry first, runs the hooks, then lets the roots go', async () => {
  const cluster = new TestCluster()
  const lobby = await cluster.start('lobby_1')
  const order: string[] = []
  const game = await cluster.start('game_1', {
    ...counters('game_1'),
    onRootGone: ({ id }) => void order.push(`root ${id}`),
  })
  lobby.directory('game').on('leave', () => order.push('left'))
  await cluster.wait(lobby.directory('game').ready())
  await cluster.wait(game.create(Counter, 'a'))
  game.onStop(() => void order.push('first hook'))
  game.onStop(() => void order.push('second hook'))
  await cluster.wait(Promise.all([game.stop(), game.stop()]))
  expect(order.filter((entry) => entry !== 'left')).toEqual(['second hook', 'first hook', 'root a'])
  expect(order).toContain('left')
  expect(await codeOf(cluster.wait(game.create(Counter, 'b')))).toBe('CLUSTER_STOPPED')
})

test('a stop hook that hangs does not hold the stop longer than its limit', async () => {
  const cluster = new TestCluster()
  const game = await cluster.start('game_1', { ...counters('game_1'), stopTimeoutMs: 1000 })
  game.onStop(() => new Promise(() => {}))
  const began = cluster.clock.now()
  await cluster.wait(game.stop())
  expect(cluster.clock.now() - began).toBeLessThanOrEqual(1500)
})

test('two classes under one wire name are refused at start', async () => {
  const cluster = new TestCluster()
  class Other {
    static readonly wireName = 'Counter'
  }
  const start = startNode(cluster.options('game_1', { entities: [Counter, Other] }))
  expect(await codeOf(start)).toBe('CLUSTER_DUPLICATE_NAME')
})

test('a node that cannot start leaves nothing behind', async () => {
  const cluster = new TestCluster()
  await cluster.start('game_1')
  const again = startNode(cluster.options('game_2', { listen: ['sim://game_1:1'] }))
  expect(await codeOf(cluster.wait(again))).toBe('RPC_LISTEN_FAILED')
  cluster.backend.setAvailable(false)
  expect(await codeOf(cluster.wait(startNode(cluster.options('game_3'))))).toBe(
    'DISCOVERY_UNAVAILABLE',
  )
})

test('a spawn that throws frees the claim', async () => {
  const cluster = new TestCluster()
  let tries = 0
  const game = await cluster.start('game_1', {
    entities: [Counter],
    spawn: () => {
      tries += 1
      if (tries === 1) throw Object.assign(new Error('no save'), { code: 'STORE_AWAY' })
      return new Counter('game_1')
    },
  })
  expect(await codeOf(cluster.wait(game.create(Counter, 'a')))).toBe('STORE_AWAY')
  await expect(cluster.wait(game.create(Counter, 'a'))).resolves.toMatchObject({ id: 'a' })
})
