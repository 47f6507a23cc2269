import { expect, test } from 'vitest'
import { CLOSE, RpcNode, settle, type RpcTable } from '../src/index.ts'
import { FakeLink, SimCluster } from './support.ts'

class Desk {
  static readonly rpc = { ask: 'server', hold: 'server' } as const satisfies RpcTable<Desk>
  release: () => void = () => {}
  ask(): string {
    return 'yes'
  }
  hold(): Promise<string> {
    return new Promise((resolve) => {
      this.release = () => resolve('done')
    })
  }
}

test('both ends of a link call one another', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  a.expose('desk', { ask: () => 'from a' }, { ask: 'server' })
  b.expose('desk', { ask: () => 'from b' }, { ask: 'server' })
  const { atA, atB } = await cluster.pair(a, b)
  expect(await cluster.result(atB.service<typeof Desk>('desk').ask())).toBe('from a')
  expect(await cluster.result(atA.service<typeof Desk>('desk').ask())).toBe('from b')
})

test('onPeer tells of each peer once, at the end that listens and at the end that dials', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  const seen: string[] = []
  a.onPeer((peer) => seen.push(`a sees ${peer.nodeId}`))
  const undo = b.onPeer((peer) => seen.push(`b sees ${peer.nodeId}`))
  const { atA } = await cluster.pair(a, b)
  expect(seen.sort()).toEqual(['a sees b', 'b sees a'])
  undo()
  atA.close()
  await cluster.clock.advance(10)
  await cluster.result(b.connect('sim://a:1'))
  expect(seen).toHaveLength(3)
  expect([a.peers.size, b.peers.size]).toEqual([1, 1])
})

test('names and ids are taken once and free again after the undo', () => {
  const node = new RpcNode({ id: 'n' })
  const undo = node.expose('desk', new Desk())
  expect(() => node.expose('desk', new Desk())).toThrow(/exposed already/)
  undo()
  undo()
  node.expose('desk', new Desk())
  const stop = node.serve('e1', new Desk())
  expect(() => node.serve('e1', new Desk())).toThrow(/served already/)
  stop()
  node.serve('e1', new Desk())
  expect(() => node.expose('', new Desk())).toThrow(RangeError)
  expect(() => node.serve('', new Desk())).toThrow(RangeError)
  expect(() => node.serve('e2', {})).toThrow(TypeError)
})

test('bad options are refused by name', () => {
  const bad = [
    { pingIntervalMs: 0 },
    { pingIntervalMs: 3000, pingTimeoutMs: 3000 },
    { defaultTimeoutMs: Number.NaN },
    { connectTimeoutMs: -1 },
    { maxRunningPerPlayer: 0 },
    { maxPendingPerPeer: 0 },
  ]
  for (const options of bad) {
    const [name] = Object.keys(options).slice(-1)
    expect(() => new RpcNode({ id: 'n', ...options }), name).toThrow(name)
  }
})

test('close refuses new calls, waits for running handlers, then tells the peers', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a')
  const b = cluster.node('b')
  const desk = new Desk()
  a.expose('desk', desk)
  const { atB } = await cluster.pair(a, b)
  const remote = atB.service<typeof Desk>('desk')
  let closed: { code: number; reason: string } | undefined
  atB.on('closed', (code, reason) => (closed = { code, reason }))
  const held = settle(remote.hold())
  await cluster.clock.advance(10)
  const closing = a.close()
  expect(a.close()).toBe(closing)
  await cluster.clock.advance(10)
  const error = await cluster.failure(remote.ask())
  expect([error.code, error.executed]).toEqual(['RPC_CLOSED', 'no'])
  expect(closed).toBeUndefined()
  desk.release()
  expect(await cluster.result(held)).toEqual([undefined, 'done'])
  await cluster.result(closing)
  await cluster.clock.advance(10)
  expect(closed).toEqual({ code: CLOSE.goingAway, reason: 'the node is stopping' })
  expect((await cluster.failure(b.connect('sim://a:1'))).code).toBe('RPC_CONNECT_FAILED')
  expect((await settle(a.listen('sim://a:2')))[0]).toMatchObject({ code: 'RPC_CLOSED' })
  expect((await settle(a.connect('sim://b:1')))[0]).toMatchObject({ code: 'RPC_CLOSED' })
  expect((await settle(a.at<typeof Desk>('sim://b:1', 'desk').ask()))[0]).toMatchObject({
    code: 'RPC_CLOSED',
    executed: 'no',
  })
  expect(() => a.attach(new FakeLink(), { trust: 'player' })).toThrow(/closed/)
})

test('close gives up on handlers that do not end, and fails its own pending calls', async () => {
  const cluster = new SimCluster()
  const a = cluster.node('a', { closeTimeoutMs: 200 })
  const b = cluster.node('b')
  a.expose('desk', new Desk())
  b.expose('desk', new Desk())
  const { atA, atB } = await cluster.pair(a, b)
  const theirs = settle(atB.service<typeof Desk>('desk').hold())
  const ours = settle(atA.service<typeof Desk>('desk').hold())
  await cluster.clock.advance(10)
  const startedAt = cluster.clock.now()
  await cluster.result(a.close())
  expect(cluster.clock.now() - startedAt).toBeLessThan(250)
  await cluster.clock.advance(10)
  for (const [error] of await Promise.all([theirs, ours])) {
    expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  }
  await cluster.result(b.close())
  await cluster.clock.advance(10_000)
  expect(cluster.clock.pending).toBe(0)
})

test('an attached link has the name it was given, or its address', () => {
  const node = new RpcNode({ id: 'n' })
  expect(node.attach(new FakeLink(), { trust: 'player', name: 's1' }).nodeId).toBe('s1')
  expect(node.attach(new FakeLink(), { trust: 'player' }).nodeId).toBe('fake://there')
  expect(node.stats().peers).toBe(2)
})

test('a dialled peer that is no server may send long lists, but not claim to be one', async () => {
  const cluster = new SimCluster()
  const server = cluster.node('server', { trustLoopback: false })
  const client = cluster.node('client', { trustLoopback: false })
  const list = Array.from({ length: 10_000 }, (_, i) => i)
  server.expose('world', { all: () => list }, { all: 'player' })
  client.expose('own', { inner: () => 1, open: () => 2 }, { inner: 'server', open: 'player' })
  const { atA, atB } = await cluster.pair(server, client)
  const world = atB.service('world') as unknown as { all(): Promise<number[]> }
  expect(await cluster.result(world.all())).toHaveLength(10_000)
  const own = atA.service('own') as unknown as Record<string, () => Promise<number>>
  expect(await cluster.result(own['open']!())).toBe(2)
  expect((await cluster.failure(own['inner']!())).code).toBe('RPC_FORBIDDEN')
})

test('a peer knows no event but closed, and its listeners can be withdrawn', async () => {
  const cluster = new SimCluster()
  const { atA, atB } = await cluster.pair(cluster.node('a'), cluster.node('b'))
  expect(() => atA.on('open' as 'closed', () => {})).toThrow(TypeError)
  let calls = 0
  atA.on('closed', () => (calls += 1))()
  atA.on('closed', () => (calls += 10))
  atB.close(4001, 'bye')
  atB.close(4002, 'twice')
  await cluster.clock.advance(10)
  expect(calls).toBe(10)
})

test('the same seed gives the same bytes on the wire', async () => {
  const run = async (): Promise<string> => {
    const cluster = new SimCluster(77, { delayMs: 3, jitterMs: 20 })
    const events: string[] = []
    const a = cluster.node('a')
    const b = cluster.node('b')
    a.expose(
      'log',
      { add: (n: number) => events.push(`${cluster.clock.now()} ${n}`) },
      { add: 'server' },
    )
    const { atB } = await cluster.pair(a, b)
    const log = atB.service('log') as unknown as { add(n: number): Promise<number> }
    const calls = Array.from({ length: 50 }, async (_, i) => {
      await new Promise<void>((resolve) => cluster.clock.setTimer(cluster.random.int(500), resolve))
      return log.add(i)
    })
    await cluster.result(Promise.all(calls.map((call) => settle(call))))
    return events.join('\n')
  }
  expect(await run()).toBe(await run())
})
