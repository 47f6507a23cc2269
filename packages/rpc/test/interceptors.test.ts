import { channel } from 'node:diagnostics_channel'
import type { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import {
  notify,
  withCall,
  type Interceptor,
  type RpcNode,
  type RpcNodeOptions,
  type RpcTable,
} from '../src/index.ts'
import {
  callContext,
  callDiagnostics,
  followCalls,
  publishPeers,
  type RpcCallMessage,
  type RpcPeerMessage,
} from '../src/node.ts'
import { SimCluster } from './support.ts'

class Bag {
  static readonly rpc = { add: 'server' } as const satisfies RpcTable<Bag>
  add(count: number): number {
    return count + 1
  }
}
class Avatar {
  static readonly rpc = { slow: 'server', fails: 'server' } as const satisfies RpcTable<Avatar>
  static readonly components = { bag: Bag }
  readonly bag: Bag = new Bag()
  async slow(ms: number): Promise<string> {
    await new Promise<void>((resolve) => void this.clock.setTimer(ms, resolve))
    return 'done'
  }
  fails(): void {
    throw Object.assign(new Error('no'), { code: 'NOPE' })
  }
  readonly clock: SteppedClock
  constructor(clock: SteppedClock) {
    this.clock = clock
  }
}

async function setUp(options: Partial<RpcNodeOptions> = {}, ofClient = options) {
  const cluster = new SimCluster()
  const server = cluster.node('server', options)
  const client = cluster.node('client', ofClient)
  server.serve('kim', new Avatar(cluster.clock))
  await server.listen('sim://server:1')
  const kim = client.entityAt<typeof Avatar>('sim://server:1', 'kim')
  const own = server.entity<typeof Avatar>({ id: 'kim' })
  return { cluster, clock: cluster.clock, server, client, kim, own }
}

test('interceptors stand around each call at both ends, the first one outermost', async () => {
  const seen: string[] = []
  const named = (name: string): Interceptor => ({
    async outgoing({ method, entityId, args, isNotify }, next) {
      seen.push(`${name} > ${entityId}.${method}(${args.join()}) ${isNotify}`)
      const result = await next()
      seen.push(`${name} < ${String(result)}`)
      return result
    },
    notify(call, next) {
      seen.push(`${name} ! ${call.method} ${call.isNotify}`)
      return next()
    },
    incoming({ method, entityId, args, context, isNotify }, next) {
      seen.push(`${name} in ${context.nodeId} ${entityId}.${method}(${args.join()}) ${isNotify}`)
      return next()
    },
  })
  const interceptors = [named('a'), named('b')]
  const { cluster, clock, kim, own } = await setUp({ interceptors })
  expect(await cluster.result(kim.bag.add(1))).toBe(2)
  expect(seen.splice(0)).toEqual([
    'a > kim.bag.add(1) false',
    'b > kim.bag.add(1) false',
    'a in client kim.bag.add(1) false',
    'b in client kim.bag.add(1) false',
    'b < 2',
    'a < 2',
  ])
  notify(kim).bag.add(5)
  await clock.advance(10)
  expect(seen.splice(0)).toEqual([
    'a ! bag.add true',
    'b ! bag.add true',
    'a in client kim.bag.add(5) true',
    'b in client kim.bag.add(5) true',
  ])
  // In process the same, however often it was called before.
  for (let i = 0; i < 200; i++) await own.bag.add(1)
  expect(seen.filter((line) => line.startsWith('b in server'))).toHaveLength(200)
})

test('an interceptor may answer, wait, and refuse; what it refuses was not executed', async () => {
  let mode = 'pass'
  const guard: Interceptor = {
    async outgoing(call, next) {
      return mode === 'answer' ? 'cached' : next()
    },
    async incoming(_, next) {
      await Promise.resolve()
      if (mode === 'refuse') throw Object.assign(new Error('limit'), { code: 'LIMIT' })
      const result = await next()
      if (mode === 'late') throw Object.assign(new Error('late'), { code: 'LATE' })
      return mode === 'change' ? 7 : result
    },
  }
  const { cluster, kim, own } = await setUp({ interceptors: [guard] })
  for (const remote of [kim, own]) {
    mode = 'pass'
    expect(await cluster.result(remote.bag.add(1))).toBe(2)
    mode = 'answer'
    expect(await cluster.result(remote.bag.add(1))).toBe('cached')
    mode = 'refuse'
    expect(await cluster.failure(remote.bag.add(1))).toMatchObject({
      code: 'LIMIT',
      executed: 'no',
    })
    mode = 'late'
    expect(await cluster.failure(remote.bag.add(1))).toMatchObject({
      code: 'LATE',
      executed: 'yes',
    })
    mode = 'change'
    expect(await cluster.result(remote.bag.add(1))).toBe(7)
  }
})

test('remotes of a peer, passed remotes and calls made again go through them too', async () => {
  let calls = 0
  const interceptors: Interceptor[] = [
    {
      outgoing(_, next) {
        calls += 1
        return next()
      },
    },
  ]
  const { cluster, client } = await setUp({}, { interceptors })
  const peer = await cluster.result(client.connect('sim://server:1'))
  await cluster.result(peer.entity<typeof Avatar>('kim').bag.add(1))
  expect(calls).toBe(1)
  const nobody = client.at<typeof Bag>('sim://nobody:1', 'bag')
  await cluster.failure(withCall(nobody, { retries: 2 }).add(1))
  expect(calls).toBe(4)
})

test('a node without interceptors has none anywhere', async () => {
  const { client, kim } = await setUp()
  expect(String(kim)).toBe('[remote entity]')
  expect(client.stats().methods).toBeUndefined()
})

test('stats count and time each method that was served', async () => {
  const { cluster, clock, server, kim, own } = await setUp({ methodStats: true })
  await cluster.result(kim.bag.add(1))
  await own.bag.add(1)
  const slow = kim.slow(100)
  await clock.advance(10)
  expect(server.stats().methods?.['entity.slow']).toMatchObject({ calls: 1, running: 1 })
  await cluster.result(slow)
  await cluster.failure(kim.fails())
  await cluster.failure((kim as unknown as { nothing(): Promise<void> }).nothing())
  expect(server.stats().methods).toEqual({
    'entity.bag.add': { calls: 2, failed: 0, running: 0, totalMs: 0, maxMs: 0 },
    'entity.slow': { calls: 1, failed: 0, running: 0, totalMs: 100, maxMs: 100 },
    'entity.fails': { calls: 1, failed: 1, running: 0, totalMs: 0, maxMs: 0 },
  })
})

test('calls and peers are published to whoever listens', async () => {
  const cluster = new SimCluster()
  const interceptors = [callDiagnostics({ clock: cluster.clock })]
  const server = cluster.node('server', { interceptors })
  const client = cluster.node('client', { interceptors })
  server.serve('kim', new Avatar(cluster.clock))
  await server.listen('sim://server:1')
  const kim = client.entityAt<typeof Avatar>('sim://server:1', 'kim')
  const undo = publishPeers(client)
  const calls: RpcCallMessage[] = []
  const peers: RpcPeerMessage[] = []
  const onCall = (message: unknown): void => void calls.push(message as RpcCallMessage)
  const onPeer = (message: unknown): void => void peers.push(message as RpcPeerMessage)
  await cluster.result(kim.bag.add(1))
  channel('rts:rpc:call').subscribe(onCall)
  channel('rts:rpc:peer').subscribe(onPeer)
  await cluster.result(kim.slow(50))
  await cluster.failure(kim.fails())
  notify(kim).bag.add(1)
  await cluster.clock.advance(10)
  expect(
    calls.map(({ direction, method, durationMs, error, isNotify, nodeId }) => [
      direction,
      method,
      durationMs,
      (error as { code?: string } | undefined)?.code,
      isNotify,
      nodeId,
    ]),
  ).toEqual([
    ['incoming', 'slow', 50, undefined, false, 'client'],
    ['outgoing', 'slow', 52, undefined, false, undefined],
    ['incoming', 'fails', 0, 'NOPE', false, 'client'],
    ['outgoing', 'fails', 2, 'NOPE', false, undefined],
    ['outgoing', 'bag.add', 0, undefined, true, undefined],
    ['incoming', 'bag.add', 0, undefined, true, 'client'],
  ])
  for (const peer of client.peers) peer.close()
  await cluster.result(kim.bag.add(1))
  await cluster.clock.advance(10)
  undo()
  expect(peers.map(({ event, peer, caller }) => [event, peer, caller])).toEqual([
    ['closed', 'server', 'server'],
    ['opened', 'server', 'server'],
  ])
  channel('rts:rpc:call').unsubscribe(onCall)
  channel('rts:rpc:peer').unsubscribe(onPeer)
  const count = calls.length
  await cluster.result(kim.bag.add(1))
  expect(calls).toHaveLength(count)
})

test('the context of a call is there after awaits when it was asked for, its trace goes on to the next server', async () => {
  const cluster = new SimCluster()
  const options = { interceptors: [followCalls()] }
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const marked: Interceptor = {
    outgoing(call, next) {
      call.trace = trace
      return next()
    },
  }
  class Hop {
    static readonly rpc = { ask: ['server', 'player'] } as const satisfies RpcTable<Hop>
    readonly node: RpcNode
    constructor(node: RpcNode) {
      this.node = node
    }
    async ask(hops: number): Promise<unknown> {
      await Promise.resolve()
      if (hops > 0) {
        return this.node.at<typeof Hop>(`sim://hop${hops - 1}:1`, 'hop').ask(hops - 1)
      }
      await new Promise<void>((resolve) => void setImmediate(resolve))
      const context = callContext()
      return [context?.nodeId, context?.caller, context?.traceId, context?.trace]
    }
  }
  for (const id of ['hop0', 'hop1', 'hop2']) {
    const node = cluster.node(id, options)
    node.expose('hop', new Hop(node))
    await node.listen(`sim://${id}:1`)
  }
  const client = cluster.node('client', { interceptors: [marked] })
  const first = client.at<typeof Hop>('sim://hop2:1', 'hop')
  expect(await cluster.result(first.ask(2))).toEqual(['hop1', 'server', 'a'.repeat(32), trace])
  expect(callContext()).toBeUndefined()
  // Nobody believes a player.
  const server = cluster.node('server', { ...options, trustLoopback: false })
  server.expose('hop', new Hop(server))
  await server.listen('sim://server:1')
  const player = cluster.node('player', { interceptors: [marked], trustLoopback: false })
  const hop = player.at<typeof Hop>('sim://server:1', 'hop')
  expect(await cluster.result(hop.ask(0))).toEqual(['player', 'player', undefined, undefined])
})
