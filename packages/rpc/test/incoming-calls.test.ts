import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import {
  currentCall,
  encodeNotify,
  notify,
  RpcNode,
  settle,
  withCall,
  type CallContext,
  type CallerKind,
  type Ctor,
  type RpcError,
  type RpcTable,
} from '../src/index.ts'
import { memoryNetwork } from '../src/memory.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'
import { makeRoute } from '../src/wire.ts'

class Bag {
  static readonly rpc = {
    use: 'player',
    grant: 'server',
    audit: 'admin',
    both: ['server', 'player'],
  } as const satisfies RpcTable<Bag>
  use(id: number): number {
    return id
  }
  grant(id: number): number {
    return id
  }
  audit(): string {
    return 'audited'
  }
  both(): string {
    return 'both'
  }
  secret(): string {
    return 'secret'
  }
}
class Avatar {
  static readonly components: { readonly bag: typeof Bag } = { bag: Bag }
  static readonly rpc = { rename: 'server', hello: 'player' } as const satisfies RpcTable<Avatar>
  readonly bag: Bag = new Bag()
  name = ''
  rename(name: string): string {
    this.name = name
    return this.name
  }
  hello(): string {
    return 'hello'
  }
}

/** Two nodes joined by attached links, so that the caller kind is the test's choice. */
async function joined(
  trust: CallerKind,
  options: { maxRunningPerPlayer?: number; beforeDispatch?: (call: never) => void } = {},
) {
  const clock = new SteppedClock()
  const transport = memoryNetwork().transport()
  const server = new RpcNode({ id: 'server', clock, ...options } as never)
  const client = new RpcNode({ id: 'client', clock })
  const signal = new AbortController().signal
  let atServer: ReturnType<RpcNode['attach']> | undefined
  await transport.listen('memory://s', { trust: 'server', clock }, (link) => {
    atServer = server.attach(link, { trust, name: 'the caller' })
  })
  const dialled = transport.dial('memory://s', { trust: 'server', clock, signal })
  await clock.settle()
  const peer = client.attach(await dialled, { trust: 'server' })
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    const settled = settle(promise)
    await clock.advance(50)
    const [error, value] = await settled
    if (error !== undefined) throw error
    return value as T
  }
  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    const [error] = await settle(run(promise))
    return (error as { code?: string } | undefined)?.code ?? 'no error'
  }
  return { clock, server, client, peer, atServer: atServer!, run, codeOf }
}
type Loose = Record<string, (...args: unknown[]) => Promise<unknown>> &
  Record<string, Record<string, (...args: unknown[]) => Promise<unknown>>>
const loose = (remote: object): Loose => remote as Loose

test.each([
  ['server', { use: 'no', grant: 'yes', audit: 'no', both: 'yes' }],
  ['player', { use: 'yes', grant: 'no', audit: 'no', both: 'yes' }],
  ['admin', { use: 'no', grant: 'no', audit: 'yes', both: 'no' }],
] as const)('a %s reaches the methods open to it, and only those', async (trust, open) => {
  const { server, peer, codeOf } = await joined(trust)
  server.expose('bag', new Bag())
  const bag = loose(peer.service('bag'))
  for (const [method, isOpen] of Object.entries(open)) {
    const code = await codeOf(bag[method]!(1))
    expect([method, code]).toEqual([method, isOpen === 'yes' ? 'no error' : 'RPC_FORBIDDEN'])
  }
  for (const method of ['secret', 'nope', 'bag', 'use.call', 'constructor.constructor']) {
    expect(await codeOf(bag[method]!(1)), method).toBe('RPC_UNKNOWN_METHOD')
  }
  expect(await codeOf(loose(peer.service('gone'))['use']!(1))).toBe('RPC_UNKNOWN_SERVICE')
})

test('names that every object has reach nothing, spelled on the wire too', async () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  node.expose('bag', new Bag())
  node.serve('av1', new Avatar())
  const link = new FakeLink()
  node.attach(link, { trust: 'server' })
  for (const name of [
    'constructor',
    '__proto__',
    'toString',
    '__defineGetter__',
    'bag.constructor',
    'bag.__proto__.use',
    '__proto__.use',
    'prototype',
    'then',
    '',
  ]) {
    link.onMessage(unhex(`26 01 00 00 00 00 ${hex(makeRoute('bag', name).bytes)} 90`))
    link.onMessage(unhex(`66 02 00 00 00 00 ${hex(makeRoute('', name).bytes)} 03 61 76 31 90`))
  }
  const answers = link.sent.map((frame) => new TextDecoder().decode(frame))
  expect(answers).toHaveLength(20)
  for (const answer of answers) expect(answer).toContain('RPC_UNKNOWN_METHOD')
  for (const name of ['constructor', '__proto__', 'toString']) {
    link.sent.length = 0
    link.onMessage(unhex(`26 01 00 00 00 00 ${hex(makeRoute(name, 'use').bytes)} 90`))
    expect(new TextDecoder().decode(link.sent[0])).toContain('RPC_UNKNOWN_SERVICE')
  }
})

test('entities and their components are open to servers and admins, never to players', async () => {
  const asServer = await joined('server')
  const avatar = new Avatar()
  asServer.server.serve('av1', avatar)
  const remote = asServer.peer.entity<typeof Avatar>('av1')
  expect(await asServer.run(remote.rename('kim'))).toBe('kim')
  expect(await asServer.run(remote.bag.grant(7))).toBe(7)
  expect(await asServer.codeOf(loose(remote)['hello']!())).toBe('RPC_FORBIDDEN')
  expect(await asServer.codeOf(loose(asServer.peer.entity('av2'))['rename']!('x'))).toBe(
    'RPC_UNKNOWN_ENTITY',
  )
  const asPlayer = await joined('player')
  asPlayer.server.serve('av1', avatar)
  for (const method of ['hello', 'rename']) {
    expect(await asPlayer.codeOf(loose(asPlayer.peer.entity('av1'))[method]!('x'))).toBe(
      'RPC_FORBIDDEN',
    )
  }
  const asAdmin = await joined('admin')
  asAdmin.server.serve('av1', avatar)
  expect(await asAdmin.run(loose(asAdmin.peer.entity('av1'))['bag']!['audit']!())).toBe('audited')
})

test('a service of the link is looked up before the node’s, and is seen on that link alone', async () => {
  const { server, atServer, peer, run, codeOf } = await joined('player')
  server.expose('avatar', { who: () => 'node' }, { who: 'player' })
  const undo = atServer.expose('avatar', { who: () => 'mine' }, { who: 'player' })
  const avatar = loose(peer.service('avatar'))
  expect(await run(avatar['who']!())).toBe('mine')
  undo()
  expect(await run(avatar['who']!())).toBe('node')
  atServer.expose('own', { who: () => 'own' }, { who: 'player' })
  expect(await run(loose(peer.service('own'))['who']!())).toBe('own')
  const other = new FakeLink()
  const otherPeer = server.attach(other, { trust: 'player' })
  expect(otherPeer.isOpen).toBe(true)
  other.onMessage(unhex(`26 01 00 00 00 00 ${hex(makeRoute('own', 'who').bytes)} 90`))
  expect(new TextDecoder().decode(other.sent[0])).toContain('RPC_UNKNOWN_SERVICE')
  expect(await codeOf(avatar['who']!())).toBe('no error')
})

test('a synchronous handler answers within the call of onMessage', () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  node.expose('bag', new Bag())
  const link = new FakeLink()
  node.attach(link, { trust: 'server' })
  link.onMessage(unhex(`26 01 00 00 00 00 ${hex(makeRoute('bag', 'grant').bytes)} 91 07`))
  expect(link.takeHex()).toEqual(['08 01 00 00 00 07'])
})

test('handlers of one link begin in the order of their calls', async () => {
  const { server, peer, run } = await joined('server')
  const seen: number[] = []
  server.expose(
    'log',
    {
      async add(n: number) {
        seen.push(n)
        await Promise.resolve()
      },
    },
    { add: 'server' },
  )
  const log = loose(peer.service('log'))
  const calls = [1, 2, 3].map((n) => log['add']!(n))
  ;(notify(log) as unknown as Loose)['add']!(4)
  calls.push(log['add']!(5))
  await run(Promise.all(calls))
  expect(seen).toEqual([1, 2, 3, 4, 5])
})

test('currentCall tells who calls, until when, and is gone after the first await', async () => {
  const { server, peer, run, clock } = await joined('player')
  let seen: CallContext | undefined
  let inNotify: number | undefined = 1
  const service = {
    async look(): Promise<boolean> {
      seen = currentCall()
      await Promise.resolve()
      expect(() => currentCall()).toThrow(/no call/)
      return true
    },
    tell(): void {
      inNotify = currentCall().deadline
    },
  }
  server.expose('ctx', service, { look: 'player', tell: 'player' })
  const remote = loose(peer.service('ctx'))
  const startedAt = clock.now()
  expect(await run(withCall(remote, { timeoutMs: 700 })['look']!())).toBe(true)
  expect([seen?.caller, seen?.nodeId]).toEqual(['player', 'the caller'])
  expect(seen?.deadline).toBe(startedAt + 700)
  ;(notify(remote) as unknown as Loose)['tell']!()
  await clock.advance(10)
  expect(inNotify).toBeUndefined()
  expect(() => currentCall()).toThrow(/no call/)
})

test('cancel, the deadline and the loss of the link each reach the handler’s signal', async () => {
  const { server, peer, clock, client } = await joined('server')
  const reasons: string[] = []
  const service = {
    wait(): Promise<void> {
      const { signal } = currentCall()
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as { code: string }).code)
          reject(signal.reason as Error)
        })
      })
    },
  }
  server.expose('w', service, { wait: 'server' })
  const remote = loose(peer.service('w'))
  const controller = new AbortController()
  const cancelled = settle(withCall(remote, { signal: controller.signal })['wait']!())
  await clock.advance(10)
  controller.abort(new Error('stop'))
  await clock.advance(10)
  expect((await cancelled)[0]?.message).toBe('stop')
  expect(reasons).toEqual(['RPC_CLOSED'])

  const late = settle(withCall(remote, { timeoutMs: 100 })['wait']!())
  await clock.advance(200)
  expect((await late)[0]).toMatchObject({ code: 'RPC_TIMEOUT' })
  expect(reasons).toEqual(['RPC_CLOSED', 'RPC_TIMEOUT'])

  const lost = settle(remote['wait']!())
  await clock.advance(10)
  peer.close()
  await clock.advance(10)
  expect((await lost)[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  expect(reasons).toEqual(['RPC_CLOSED', 'RPC_TIMEOUT', 'RPC_CLOSED'])
  expect([server.stats().runningCalls, client.stats().pendingCalls]).toEqual([0, 0])
})

test('a signal asked for after the fact is aborted already', async () => {
  const { server, peer, clock } = await joined('server')
  let call: CallContext | undefined
  server.expose(
    'w',
    {
      wait() {
        call = currentCall()
        return new Promise(() => {})
      },
    },
    { wait: 'server' },
  )
  void settle(loose(peer.service('w'))['wait']!())
  await clock.advance(10)
  peer.close()
  await clock.advance(10)
  expect(call?.signal.aborted).toBe(true)
})

test('deadlines shrink over hops: a call made in a handler ends with the call that made it', async () => {
  const cluster = new SimCluster(1, { delayMs: 10 })
  const [a, b, c] = ['a', 'b', 'c'].map((id) => cluster.node(id)) as [RpcNode, RpcNode, RpcNode]
  await Promise.all([b.listen('sim://b:1'), c.listen('sim://c:1')])
  const left: number[] = []
  const remoteOf = (node: RpcNode, url: string): Loose => loose(node.at<Ctor>(url, 'hop'))
  c.expose(
    'hop',
    {
      async go() {
        left.push(currentCall().deadline! - cluster.clock.now())
        await new Promise(() => {})
      },
    },
    { go: 'server' },
  )
  b.expose(
    'hop',
    {
      go() {
        left.push(currentCall().deadline! - cluster.clock.now())
        return remoteOf(b, 'sim://c:1')['go']!()
      },
    },
    { go: 'server' },
  )
  await cluster.result(Promise.all([a.connect('sim://b:1'), b.connect('sim://c:1')]))
  const error = await cluster.failure(
    withCall(remoteOf(a, 'sim://b:1'), { timeoutMs: 500 })['go']!(),
  )
  expect(error.code).toBe('RPC_TIMEOUT')
  await cluster.clock.advance(2000)
  // Each message takes 10 ms; remaining time is what travels, so that is not taken off twice.
  expect(left[0]).toBeLessThanOrEqual(500)
  expect(left[1]).toBeLessThanOrEqual(left[0]!)
  expect(b.stats()).toMatchObject({ pendingCalls: 0, runningCalls: 0, timeouts: 1 })
})

test('over four hops each handler has what is left of the first caller’s time, and all end with it', async () => {
  const cluster = new SimCluster(1, { delayMs: 10 })
  const left: number[] = []
  const reasons: string[] = []
  const ids = ['a', 'b', 'c', 'd', 'e']
  for (const [i, id] of ids.entries()) {
    const node = cluster.node(id)
    const next = ids[i + 1]
    class Hop {
      static readonly rpc = { go: 'server', hold: 'server' } as const
      // Each call waits 100 ms for its turn here.
      static readonly execution = 'serial'
      hold(): Promise<void> {
        return new Promise((resolve) => void cluster.clock.setTimer(100, resolve))
      }
      go(): unknown {
        const { deadline, signal } = currentCall()
        left.push(deadline! - cluster.clock.now())
        signal.addEventListener('abort', () => reasons.push((signal.reason as RpcError).code))
        if (next === undefined) return new Promise(() => {})
        const remote = loose(node.at<Ctor>(`sim://${next}:1`, 'hop'))
        ;(notify(remote) as unknown as Loose)['hold']!()
        return remote['go']!()
      }
    }
    node.expose('hop', new Hop())
    await node.listen(`sim://${id}:1`)
  }
  const [a] = cluster.nodes
  for (const [i, id] of ids.slice(1).entries()) {
    const from = cluster.nodes.find((node) => node.id === ids[i])!
    await cluster.result(from.connect(`sim://${id}:1`))
  }
  const hop = loose(a!.at<Ctor>('sim://b:1', 'hop'))
  const startedAt = cluster.clock.now()
  const error = await cluster.failure(withCall(hop, { timeoutMs: 1000 })['go']!())
  expect(error).toMatchObject({ code: 'RPC_TIMEOUT' })
  expect(cluster.clock.now() - startedAt).toBeLessThan(1050)
  await cluster.clock.advance(200)
  expect(left).toHaveLength(4)
  // 1000 at first, and 100 less at each further hop.
  for (const [hops, ms] of left.entries()) {
    expect(ms).toBeLessThanOrEqual(1000 - hops * 100 + 16)
    expect(ms).toBeGreaterThan(1000 - hops * 100 - 60)
  }
  expect(reasons).toEqual(Array.from({ length: 4 }, () => 'RPC_TIMEOUT'))
  for (const node of cluster.nodes) expect(node.stats()).toMatchObject({ pendingCalls: 0 })
})

test('a cancel reaches the last handler of a chain that hands its signal on, within one way each', async () => {
  const cluster = new SimCluster(1, { delayMs: 10 })
  const [a, b, c] = ['a', 'b', 'c'].map((id) => cluster.node(id)) as [RpcNode, RpcNode, RpcNode]
  await Promise.all([b.listen('sim://b:1'), c.listen('sim://c:1')])
  let endedAt = 0
  const wait = (): Promise<void> => {
    const { signal } = currentCall()
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        endedAt = cluster.clock.now()
        reject(signal.reason as Error)
      })
    })
  }
  c.expose('hop', { go: wait }, { go: 'server' })
  const go = (): unknown =>
    withCall(loose(b.at<Ctor>('sim://c:1', 'hop')), { signal: currentCall().signal })['go']!()
  b.expose('hop', { go }, { go: 'server' })
  await cluster.result(Promise.all([a.connect('sim://b:1'), b.connect('sim://c:1')]))
  const { signal, abort } = (() => {
    const controller = new AbortController()
    return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) }
  })()
  const call = settle(withCall(loose(a.at<Ctor>('sim://b:1', 'hop')), { signal })['go']!())
  await cluster.clock.advance(100)
  const cancelledAt = cluster.clock.now()
  abort()
  expect((await call)[0]?.message).toBe('enough')
  await cluster.clock.advance(100)
  expect(endedAt - cancelledAt).toBeLessThanOrEqual(2 * 10 + 2)
  for (const node of [b, c])
    expect(node.stats()).toMatchObject({ runningCalls: 0, pendingCalls: 0 })
})

test('a player may have so many unfinished calls and no more', async () => {
  const { server, peer, codeOf, clock } = await joined('player', { maxRunningPerPlayer: 2 })
  const finish: (() => void)[] = []
  const service = { hold: () => new Promise<void>((resolve) => void finish.push(resolve)) }
  server.expose('h', service, { hold: 'player' })
  const remote = loose(peer.service('h'))
  const held = [settle(remote['hold']!()), settle(remote['hold']!())]
  await clock.advance(5)
  expect(await codeOf(remote['hold']!())).toBe('RPC_OVERLOADED')
  expect(server.stats().refusedOverloaded).toBe(1)
  finish.forEach((end) => end())
  await clock.advance(5)
  await Promise.all(held)
  const again = settle(remote['hold']!())
  await clock.advance(5)
  expect(finish).toHaveLength(3)
  finish[2]!()
  await clock.advance(5)
  expect(await again).toEqual([undefined, undefined])
})

test('beforeDispatch sees each call and refuses with the error it throws, surely not executed', async () => {
  const seen: string[] = []
  const { server, peer, run, clock } = await joined('server', {
    beforeDispatch: (call: {
      service: string
      entityId?: string
      method: string
      isNotify: boolean
    }) => {
      seen.push(`${call.service}/${call.entityId}/${call.method}/${call.isNotify}`)
      if (call.method === 'grant') {
        throw Object.assign(new Error('the lease is lost'), {
          code: 'LEASE_LOST',
          data: { at: 'b' },
        })
      }
    },
  })
  let ran = 0
  class Counted extends Bag {
    override grant(): number {
      return ++ran
    }
  }
  server.expose('bag', new Counted())
  server.serve('av1', new Avatar())
  const bag = loose(peer.service('bag'))
  const [error] = await settle(run(bag['grant']!(1)))
  expect(error).toMatchObject({ code: 'LEASE_LOST', executed: 'no', data: { at: 'b' } })
  ;(notify(bag) as unknown as Loose)['grant']!(1)
  expect(await run(bag['both']!())).toBe('both')
  expect(await run(peer.entity<typeof Avatar>('av1').rename('x'))).toBe('x')
  await clock.advance(5)
  expect(seen).toEqual([
    'bag/undefined/grant/false',
    'bag/undefined/grant/true',
    'bag/undefined/both/false',
    '/av1/rename/false',
  ])
  expect([ran, server.stats().refusedByHook]).toEqual([0, 2])
})

test('arguments from a player go through the scan; the call is answered and the link stays', async () => {
  const { server, peer, codeOf, run } = await joined('player')
  server.expose('bag', new Bag())
  const bag = loose(peer.service('bag'))
  let deep: unknown = 1
  for (let i = 0; i < 20; i++) deep = [deep]
  expect(await codeOf(bag['use']!(deep))).toBe('RPC_BAD_ARGUMENTS')
  expect(await codeOf(bag['use']!('x'.repeat(9000)))).toBe('RPC_BAD_ARGUMENTS')
  expect(await codeOf(bag['use']!(new Set([1])))).toBe('RPC_BAD_ARGUMENTS')
  expect(await codeOf(bag['use']!(/x/))).toBe('RPC_BAD_ARGUMENTS')
  expect(server.stats().refusedMalformed).toBe(4)
  expect(await run(bag['use']!(1))).toBe(1)
})

test('a message above the limit of its trust closes the link with a code', async () => {
  const { server, peer, codeOf, clock } = await joined('player')
  server.expose('bag', new Bag())
  let closed: number | undefined
  peer.on('closed', (code) => {
    closed = code
  })
  expect(await codeOf(loose(peer.service('bag'))['use']!(new Uint8Array(20_000)))).toBe(
    'RPC_CLOSED',
  )
  await clock.advance(5)
  expect(closed).toBe(4413)
})

test('results that cannot be sent are told to the caller', async () => {
  const { server, peer, codeOf } = await joined('server')
  const service = {
    fn: () => () => {},
    big: () => new Uint8Array(17 * 1024 * 1024),
  }
  server.expose('odd', service, { fn: 'server', big: 'server' })
  const odd = loose(peer.service('odd'))
  expect(await codeOf(odd['fn']!())).toBe('RPC_BAD_REPLY')
  expect(await codeOf(odd['big']!())).toBe('RPC_TOO_LARGE')
})

test('a component that is not there now is an unknown method', async () => {
  const { server, peer, codeOf } = await joined('server')
  class Late {
    static readonly components: object = { bag: Bag }
    static readonly rpc: object = { here: 'server' }
    bag: Bag | undefined
    here(): boolean {
      return true
    }
  }
  const late = new Late()
  server.serve('l1', late)
  const bag = loose(peer.entity('l1'))['bag']!
  expect(await codeOf(bag['grant']!(1))).toBe('RPC_UNKNOWN_METHOD')
  late.bag = new Bag()
  expect(await codeOf(bag['grant']!(1))).toBe('no error')
})

test('a link without a limit of its own is held to that of its trust', () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  const link = new FakeLink()
  node.attach(link, { trust: 'player' })
  link.onMessage(new Uint8Array(16 * 1024 + 1).fill(7))
  expect(link.closed?.code).toBe(4413)
})

test('fuzzed frames: an answer, silence or a coded close; never more than the tables open', () => {
  const random = seededRandom(4)
  const route = makeRoute('bag', 'use').bytes
  const valid = [
    unhex(`26 01 00 00 00 64 ${hex(route)} 91 07`),
    unhex(`27 ${hex(route)} 91 07`),
    unhex(`66 01 00 00 00 00 ${hex(route)} 03 61 76 31 91 07`),
    unhex(`05 00 ${hex(route)}`),
    unhex('06 01 00 00 00 00 00 91 07'),
    unhex('08 01 00 00 00 91 07'),
    unhex('09 01 00 00 00 02 01 41 01 62'),
    unhex('0d 01 00 00 00 81 a1 61 01'),
    unhex('0e 01 00 00 00 aa'),
    unhex('0f 01 00 00 00 a0 0f 02 6f 6b'),
    encodeNotify('bag', 'use', [{ deep: [1, 'x', null] }]),
  ]
  let inner = 0
  class Watched extends Bag {
    override grant(): number {
      return (inner += 1)
    }
    override audit(): string {
      inner += 1
      return ''
    }
    override secret(): string {
      inner += 1
      return ''
    }
  }
  let node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  let fed = 0
  for (let round = 0; fed < 400_000; round++) {
    if (round % 500 === 0) {
      node = new RpcNode({ id: 'n', clock: new SteppedClock() })
      node.expose('bag', new Watched())
      node.serve('av1', new Avatar())
    }
    const link = new FakeLink()
    node.attach(link, { trust: 'player' })
    for (let i = random.int(5); i >= 0 && link.closed === undefined; i--) {
      const frame = random.chance(0.3) ? random(random.int(60)) : random.pick(valid).slice()
      for (let n = random.int(4); n > 0 && frame.length > 0; n--) {
        frame[random.int(frame.length)] = random.int(256)
      }
      fed += frame.length
      link.onMessage(frame)
    }
    if (link.closed !== undefined) expect(link.closed.code).toBe(4400)
    link.onClose(1006, 'over')
  }
  expect(inner).toBe(0)
  expect(node.stats()).toMatchObject({ peers: 0, virtualLinks: 0, runningCalls: 0 })
  expect(Object.keys(Object.prototype)).toEqual([])
})
