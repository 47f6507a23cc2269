import { expect, test } from 'vitest'
import {
  currentCall,
  notify,
  settle,
  withCall,
  type CallContext,
  type RpcNode,
  type RpcTable,
} from '../src/index.ts'
import { SimCluster } from './support.ts'

class Bag {
  static readonly rpc = { add: 'server', peek: 'player' } as const satisfies RpcTable<Bag>
  items: unknown[] = []
  seen: CallContext | undefined
  add(item: unknown): unknown[] {
    this.items.push(item)
    return this.items
  }
  peek(): number {
    return this.items.length
  }
}

class Avatar {
  static readonly rpc = {
    who: 'server',
    slow: 'server',
    fails: 'server',
    crashes: 'server',
    visit: 'server',
    twice: 'server',
    count: 'server',
    hang: 'server',
    sometimes: 'server',
  } as const satisfies RpcTable<Avatar>
  static readonly components = { bag: Bag }
  readonly bag: Bag = new Bag()
  readonly log: string[] = []
  signal: AbortSignal | undefined
  node: RpcNode | undefined
  gate: Promise<void> = Promise.resolve()
  isSlow = false
  ended = 0

  who(): CallContext {
    return currentCall()
  }
  async slow(name: string): Promise<string> {
    this.log.push(`${name} begins`)
    await this.gate
    this.log.push(`${name} ends`)
    return name
  }
  fails(): void {
    throw Object.assign(new Error('no room'), { code: 'NO_ROOM', data: [1] })
  }
  async crashes(): Promise<void> {
    throw new Error('oops')
  }
  async visit(other: string, via: string): Promise<string> {
    await Promise.resolve()
    const remote = this.node!.entity<typeof Avatar>({ id: other })
    return other === via ? remote.twice() : remote.visit(via, via)
  }
  twice(): string {
    return 'inside'
  }
  async *count(to: number): AsyncGenerator<number> {
    this.signal = currentCall().signal
    try {
      for (let i = 1; i <= to; i++) yield i
      if (to > 100) throw Object.assign(new Error('too far'), { code: 'TOO_FAR' })
    } finally {
      this.ended += 1
    }
  }
  async hang(): Promise<void> {
    this.signal = currentCall().signal
    await new Promise(() => {})
  }
  sometimes(other: string): unknown {
    return this.isSlow ? this.visit(other, other) : 'at once'
  }
}

class Clerk {
  static readonly rpc = {
    order: 'server',
    closed: 'player',
    ping: 'server',
  } as const satisfies RpcTable<Clerk>
  readonly orders: unknown[] = []
  other: { ping(left: number): boolean } | undefined
  order(what: unknown): unknown {
    this.orders.push(what)
    return what
  }
  closed(): void {}
  ping(left: number): void {
    this.orders.push(left)
    if (left > 0) this.other?.ping(left - 1)
  }
}

async function setUp() {
  const cluster = new SimCluster()
  const node = cluster.node('home')
  const avatar = new Avatar()
  avatar.node = node
  node.serve('kim', avatar)
  const clerk = new Clerk()
  node.expose('clerk', clerk)
  const { url } = await node.listen('sim://home:1')
  const kim = node.entity<typeof Avatar>({ id: 'kim' })
  return { cluster, clock: cluster.clock, node, avatar, kim, clerk, url }
}

test('arguments and results are the very objects: nothing is encoded, nothing is dialled', async () => {
  const { node, kim, avatar, url, clerk } = await setUp()
  const item = { fn: () => 1 }
  const add = kim.bag.add as (item: unknown) => Promise<unknown>
  expect(await add(item)).toBe(avatar.bag.items)
  expect(avatar.bag.items[0]).toBe(item)
  const order = node.service<typeof Clerk>('clerk').order as (what: unknown) => Promise<unknown>
  expect(await order(item)).toBe(item)
  expect(await node.at<typeof Clerk>(url, 'clerk').order(7)).toBe(7)
  expect(await node.entityAt<typeof Avatar>(url, 'kim').twice()).toBe('inside')
  expect(clerk.orders).toEqual([item, 7])
  expect(node.stats()).toMatchObject({ peers: 0, callsSent: 4, callsReceived: 4, pendingCalls: 0 })
})

test('an address made before its listener is local from then on, and dialled again after it', async () => {
  const cluster = new SimCluster()
  const node = cluster.node('home')
  const clerk = node.at<typeof Clerk>('sim://home:1', 'clerk')
  node.expose('clerk', new Clerk())
  const listener = await node.listen('sim://home:1')
  expect(await clerk.order(1)).toBe(1)
  expect(node.peers.size).toBe(0)
  await cluster.result(listener.close())
  expect(await cluster.failure(clerk.order(2))).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
})

test('refusals have the codes of a link', async () => {
  const { cluster, node, kim } = await setUp()
  const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
    const { code, executed } = await cluster.failure(promise)
    return [code, executed]
  }
  const odd = kim as unknown as Record<string, () => Promise<unknown>>
  expect(await codeOf(odd['nothing']!())).toEqual(['RPC_UNKNOWN_METHOD', 'no'])
  const clerk = node.service<typeof Clerk>('clerk')
  expect(await codeOf((clerk as unknown as Clerk).closed() as never)).toEqual([
    'RPC_FORBIDDEN',
    'no',
  ])
  expect(await codeOf(node.service<typeof Clerk>('nobody').order(1))).toEqual([
    'RPC_UNKNOWN_SERVICE',
    'no',
  ])
  const lost = node.entityAt<typeof Avatar>('sim://home:1', 'lost')
  expect(await codeOf(lost.twice())).toEqual(['RPC_UNKNOWN_ENTITY', 'no'])
  const error = await cluster.failure(kim.fails())
  expect(error).toMatchObject({ code: 'NO_ROOM', executed: 'yes', data: [1], message: 'no room' })
  expect(await codeOf(kim.crashes())).toEqual(['RPC_INTERNAL', 'yes'])
})

test('a synchronous handler answers as before once it is known to be synchronous', async () => {
  const { cluster, node, kim, avatar } = await setUp()
  for (let i = 0; i < 300; i++) expect(await kim.twice()).toBe('inside')
  for (let i = 0; i < 300; i++) expect((await kim.who()).nodeId).toBe('home')
  for (let i = 0; i < 300; i++) {
    expect(await cluster.failure(kim.fails())).toMatchObject({ code: 'NO_ROOM' })
    if (i < 200) expect(await kim.bag.add(i)).toBe(avatar.bag.items)
  }
  expect(() => currentCall()).toThrow()
  // The same remotes follow what is served, and under which table.
  const other = new Avatar()
  await node.close()
  expect(await cluster.failure(kim.twice())).toMatchObject({ code: 'RPC_CLOSED' })
  expect(other.bag.items).toEqual([])
})

test('what is served anew is found, also by a remote that was fast', async () => {
  const { cluster, node, kim } = await setUp()
  const another = new Avatar()
  const first = node.entity<typeof Bag>({ id: 'box' })
  const undo = node.serve('box', new Bag())
  for (let i = 0; i < 200; i++) await first.add(i)
  undo()
  expect(await cluster.failure(first.add(1))).toMatchObject({ code: 'RPC_UNKNOWN_ENTITY' })
  node.serve('box', another.bag)
  expect(await first.add('new')).toEqual(['new'])
  expect(await kim.twice()).toBe('inside')
})

test('handlers see who calls, also inside one another, and calls inside end with the call outside', async () => {
  const { cluster, node } = await setUp()
  class Outer {
    static readonly rpc = { ask: 'server' } as const satisfies RpcTable<Outer>
    ask(depth: number): number | Promise<unknown> {
      const before = currentCall()
      if (depth === 0) return before.deadline! - cluster.clock.now()
      const inner = node.service<typeof Outer>('outer').ask(depth - 1)
      expect(currentCall()).toBe(before)
      return depth === 3 ? inner : 0
    }
  }
  node.expose('outer', new Outer())
  const outer = node.service<typeof Outer>('outer')
  for (let i = 0; i < 150; i++) expect(await outer.ask(0)).toBe(3000)
  for (let i = 0; i < 150; i++) expect(await outer.ask(1)).toBe(0)
  expect(await withCall(outer, { timeoutMs: 50 }).ask(3)).toBe(0)
  const { peer, caller, nodeId } = await node.entity<typeof Avatar>({ id: 'kim' }).who()
  expect([caller, nodeId, peer.isOpen]).toEqual(['server', 'home', true])
  // It leads back to the node itself.
  expect(await cluster.result(peer.service<typeof Outer>('outer').ask(0))).toBe(3000)
})

test('an entity handles one call at a time in the order they came; a chain comes back inside', async () => {
  const { cluster, node, avatar, kim } = await setUp()
  let open: () => void = () => {}
  avatar.gate = new Promise((resolve) => {
    open = resolve
  })
  const calls = [kim.slow('a'), kim.slow('b'), kim.twice()]
  expect(avatar.log).toEqual(['a begins'])
  expect(node.stats()).toMatchObject({ waitingCalls: 2, runningCalls: 3, pendingCalls: 3 })
  open()
  expect(await cluster.result(Promise.all(calls))).toEqual(['a', 'b', 'inside'])
  expect(avatar.log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  const lee = new Avatar()
  lee.node = node
  node.serve('lee', lee)
  expect(await cluster.result(kim.visit('lee', 'kim'))).toBe('inside')
  expect(node.stats()).toMatchObject({ waitingCalls: 0, runningCalls: 0, pendingCalls: 0 })
})

test('a circle of local calls is named', async () => {
  const { cluster, node, avatar, kim } = await setUp()
  const lee = new Avatar()
  lee.node = node
  node.serve('lee', lee)
  avatar.node = node
  const both = await cluster.result(
    Promise.all([
      settle(kim.visit('lee', 'lee')),
      settle(node.entity<typeof Avatar>({ id: 'lee' }).visit('kim', 'kim')),
    ]),
  )
  const errors = both.map(([error]) => error).filter((error) => error !== undefined)
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ code: 'RPC_DEADLOCK' })
})

test('a method that was synchronous a thousand times may still give a promise', async () => {
  const { cluster, node, avatar, kim } = await setUp()
  const lee = new Avatar()
  lee.node = node
  node.serve('lee', lee)
  for (let i = 0; i < 1000; i++) expect(await kim.sometimes('lee')).toBe('at once')
  avatar.isSlow = true
  const pending = kim.sometimes('lee')
  expect(node.stats().runningCalls).toBe(1)
  expect(await cluster.result(pending)).toBe('inside')
  expect(await cluster.result(kim.sometimes('kim'))).toBe('inside')
})

test('the deadline ends the wait and fires the signal; a cancel does too; a turn that does not come never begins', async () => {
  const { cluster, clock, node, avatar, kim } = await setUp()
  const hanging = settle(withCall(kim, { timeoutMs: 100 }).hang())
  const waiting = settle(withCall(kim, { timeoutMs: 50 }).twice())
  await clock.advance(70)
  expect((await waiting)[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'no' })
  expect(avatar.signal?.aborted).toBe(false)
  await clock.advance(60)
  expect((await hanging)[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'maybe' })
  expect(avatar.signal?.aborted).toBe(true)
  const lee = new Avatar()
  node.serve('lee', lee)
  const controller = new AbortController()
  const remote = node.entity<typeof Avatar>({ id: 'lee' })
  const aborted = settle(withCall(remote, { signal: controller.signal }).hang())
  const queued = settle(withCall(remote, { signal: controller.signal }).twice())
  controller.abort(new Error('enough'))
  expect([(await aborted)[0]?.message, (await queued)[0]?.message]).toEqual(['enough', 'enough'])
  expect(lee.signal?.aborted).toBe(true)
  expect(node.stats()).toMatchObject({ pendingCalls: 0, waitingCalls: 0 })
  expect((await settle(withCall(remote, { signal: controller.signal }).twice()))[0]?.message).toBe(
    'enough',
  )
  await cluster.result(node.close())
})

test('every call settles when the node closes', async () => {
  const { cluster, node, kim } = await setUp()
  const calls = [settle(kim.hang()), settle(kim.twice())]
  await cluster.result(node.close())
  const errors = (await Promise.all(calls)).map(([error]) => error)
  expect(errors).toMatchObject([
    { code: 'RPC_CLOSED', executed: 'maybe' },
    { code: 'RPC_CLOSED', executed: 'no' },
  ])
  expect(await cluster.failure(kim.twice())).toMatchObject({ code: 'RPC_CLOSED', executed: 'no' })
  expect(notify(kim).twice()).toBe(false)
  await cluster.clock.settle()
  expect(node.stats()).toMatchObject({ peers: 0, pendingCalls: 0 })
})

test('beforeDispatch is asked, before and after a handler is known to be synchronous', async () => {
  const cluster = new SimCluster()
  let isHeld = true
  const node = cluster.node('home', {
    beforeDispatch: ({ peer, entityId, method }) => {
      expect([peer.nodeId, entityId, method]).toEqual(['home', 'kim', 'twice'])
      if (!isHeld) throw Object.assign(new Error('not mine'), { code: 'MOVED' })
    },
  })
  node.serve('kim', new Avatar())
  const kim = node.entity<typeof Avatar>({ id: 'kim' })
  for (let i = 0; i < 300; i++) await kim.twice()
  isHeld = false
  expect(await cluster.failure(kim.twice())).toMatchObject({ code: 'MOVED', executed: 'no' })
  expect(node.stats().refusedByHook).toBe(1)
})

test('notifications run at once, in order with calls, however deep they go', async () => {
  const { cluster, node, clerk } = await setUp()
  const remote = node.service<typeof Clerk>('clerk')
  expect(notify(remote).order(1)).toBe(true)
  void remote.order(2)
  expect(clerk.orders).toEqual([1, 2])
  clerk.orders.length = 0
  clerk.other = notify(remote)
  notify(remote).ping(20_000)
  await cluster.clock.settle()
  expect(clerk.orders).toHaveLength(20_001)
  expect(notify(node.service<typeof Clerk>('nobody')).order(1)).toBe(true)
  expect(node.stats().droppedNotifies).toBe(1)
})

test('a stream is read item by item, ends the generator when its reader leaves, and tells its error', async () => {
  const { cluster, node, avatar, kim } = await setUp()
  const items: number[] = []
  for await (const item of kim.count(3)) items.push(item)
  expect(items).toEqual([1, 2, 3])
  for await (const item of kim.count(100)) if (item === 2) break
  expect([avatar.ended, avatar.signal?.aborted]).toEqual([2, true])
  const far = async (): Promise<void> => {
    for await (const item of kim.count(101)) items.push(item)
  }
  expect(await cluster.failure(far())).toMatchObject({ code: 'TOO_FAR', executed: 'yes' })
  const controller = new AbortController()
  const stopped = async (): Promise<void> => {
    for await (const item of withCall(kim, { signal: controller.signal }).count(50)) {
      if (item === 5) controller.abort(new Error('enough'))
    }
  }
  expect((await cluster.failure(stopped())).message).toBe('enough')
  const plain = kim.twice() as unknown as AsyncIterable<number>
  const wrong = async (): Promise<void> => {
    for await (const item of plain) items.push(item)
  }
  expect(await cluster.failure(wrong())).toMatchObject({ code: 'RPC_BAD_REPLY' })
  expect(node.stats().openStreams).toBe(0)
})

test('an entity that leaves while a call waits for its turn is followed', async () => {
  const cluster = new SimCluster()
  const away = cluster.node('away')
  await away.listen('sim://away:1')
  const there = new Avatar()
  away.serve('kim', there)
  const node = cluster.node('home', { locate: () => 'sim://away:1' })
  const here = new Avatar()
  let open: () => void = () => {}
  here.gate = new Promise((resolve) => {
    open = resolve
  })
  const undo = node.serve('kim', here)
  const kim = node.entity<typeof Avatar>({ id: 'kim' })
  const first = kim.slow('first')
  const second = kim.slow('second')
  undo()
  open()
  expect(await cluster.result(Promise.all([first, second]))).toEqual(['first', 'second'])
  expect([here.log.length, there.log.length]).toEqual([2, 2])
})
