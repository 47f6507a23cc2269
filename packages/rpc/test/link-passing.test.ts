import { expect, test } from 'vitest'
import {
  currentCall,
  notify,
  RpcError,
  RpcNode,
  settle,
  withCall,
  type EntityRef,
  type Remote,
  type RpcTable,
} from '../src/index.ts'
import { memoryNetwork } from '../src/memory.ts'
import { makeRoute } from '../src/wire.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'

class Bag {
  static readonly rpc = { count: 'server' } as const satisfies RpcTable<Bag>
  items = 3
  count(): number {
    return this.items
  }
}
class Avatar {
  static readonly rpc = { name: 'server', meet: 'server' } as const satisfies RpcTable<Avatar>
  static readonly components = { bag: Bag }
  readonly bag: Bag = new Bag()
  readonly #name: string
  constructor(name: string) {
    this.#name = name
  }
  name(): string {
    return this.#name
  }
  async meet(other: Remote<typeof Avatar>): Promise<string> {
    return `${this.#name} meets ${await other.name()} with ${await other.bag.count()}`
  }
}
class Hud {
  static readonly rpc = { show: 'server' } as const satisfies RpcTable<Hud>
  readonly shown: string[] = []
  show(text: string): number {
    return this.shown.push(text)
  }
}
class Desk {
  static readonly rpc = {
    greet: ['server', 'player'],
    all: 'server',
    part: 'server',
    itself: ['server', 'player'],
    avatar: ['server', 'player'],
    watch: 'server',
    told: 'server',
    wrap: 'server',
  } as const satisfies RpcTable<Desk>
  kim: Remote<typeof Avatar> | undefined
  self: unknown
  heard: unknown
  async greet(hud: Remote<typeof Hud>): Promise<number> {
    return hud.show(`welcome, ${currentCall().nodeId}`)
  }
  async all(team: { readonly members: readonly Remote<typeof Avatar>[] }): Promise<string[]> {
    return Promise.all(team.members.map((member) => member.name()))
  }
  async part(bag: Remote<typeof Bag>): Promise<number> {
    return bag.count()
  }
  itself(): Remote<typeof Desk> {
    return this.self as Remote<typeof Desk>
  }
  avatar(): Remote<typeof Avatar> {
    return this.kim!
  }
  wrap(): { readonly leader: Remote<typeof Avatar> } {
    return { leader: this.kim! }
  }
  async *watch(): AsyncGenerator<Remote<typeof Avatar>> {
    yield this.kim!
  }
  told(avatar: Remote<typeof Avatar>): void {
    this.heard = avatar
  }
}

/** Three servers: the avatar `kim` lives at `game`, the desk at `lobby`, `gate` calls. */
async function setUp() {
  const cluster = new SimCluster()
  const locate = (ref: EntityRef): string | undefined => ref.url ?? 'sim://game:1'
  const game = cluster.node('game', { locate })
  const lobby = cluster.node('lobby', { locate })
  const gate = cluster.node('gate', { locate })
  for (const node of [game, lobby, gate]) await node.listen(`sim://${node.id}:1`)
  game.serve('kim', new Avatar('Kim'))
  game.serve('lee', new Avatar('Lee'))
  const desk = new Desk()
  desk.kim = lobby.entity<typeof Avatar>({ id: 'kim' })
  desk.self = lobby.service<typeof Desk>('desk')
  lobby.expose('desk', desk)
  const remote = gate.at<typeof Desk>('sim://lobby:1', 'desk')
  return { cluster, game, lobby, gate, desk, remote }
}

test('a remote as an argument arrives as a working remote, wherever it leads', async () => {
  const { cluster, game, gate, remote } = await setUp()
  const byRef = gate.entity<typeof Avatar>({ id: 'kim', type: 'Avatar' })
  const byAddress = gate.entityAt<typeof Avatar>('sim://game:1', 'lee')
  expect(await cluster.result(byRef.meet(byAddress))).toBe('Kim meets Lee with 3')
  const members = [byRef, byAddress]
  expect(await cluster.result(remote.all({ members }))).toEqual(['Kim', 'Lee'])
  expect(await cluster.result(remote.part(byRef.bag))).toBe(3)
  // From where it lives: the address goes along.
  const own = game.entity<typeof Avatar>({ id: 'kim' })
  const desk = game.at<typeof Desk>('sim://lobby:1', 'desk')
  expect(await cluster.result(desk.all({ members: [own] }))).toEqual(['Kim'])
  // A service of the caller, called back.
  const hud = new Hud()
  gate.expose('hud', hud)
  expect(await cluster.result(remote.greet(gate.service<typeof Hud>('hud')))).toBe(1)
  expect(hud.shown).toEqual(['welcome, gate'])
})

test('a remote as a result, in a result, as an item, in a notification', async () => {
  const { cluster, desk, remote } = await setUp()
  const kim = await cluster.result(remote.avatar())
  expect(await cluster.result(kim.name())).toBe('Kim')
  expect(await cluster.result((await cluster.result(remote.wrap())).leader.bag.count())).toBe(3)
  const same = await cluster.result(remote.itself())
  expect(await cluster.result((await cluster.result(same.avatar())).name())).toBe('Kim')
  const watched = async (): Promise<string[]> => {
    const names: string[] = []
    for await (const avatar of remote.watch()) names.push(await avatar.name())
    return names
  }
  expect(await cluster.result(watched())).toEqual(['Kim'])
  notify(remote).told(kim)
  await cluster.clock.advance(10)
  expect(await cluster.result((desk.heard as typeof kim).name())).toBe('Kim')
})

test('a remote of the very link is one of the other end there', async () => {
  const { cluster, gate, remote, desk } = await setUp()
  await cluster.result(remote.avatar())
  const [peer] = gate.peers
  notify(remote).told(peer!.service<typeof Desk>('desk') as never)
  await cluster.clock.advance(10)
  const heard = desk.heard as Remote<typeof Desk>
  expect(await cluster.result((await heard.avatar()).name())).toBe('Kim')
})

test('what no other end could use is refused where it is sent', async () => {
  const { cluster, game, gate, remote } = await setUp()
  const send = remote.told as (value: unknown) => Promise<void>
  const code = async (value: unknown): Promise<string> => (await cluster.failure(send(value))).code
  expect(await code(() => 1)).toBe('RPC_BAD_ARGUMENTS')
  expect(await code({ deep: [() => 1] })).toBe('RPC_BAD_ARGUMENTS')
  expect(await code(notify(gate.entity<typeof Avatar>({ id: 'kim' })))).toBe('RPC_BAD_ARGUMENTS')
  await cluster.result(gate.connect('sim://game:1'))
  const other = [...gate.peers].find(({ nodeId }) => nodeId === 'game')!
  expect(await code(other.entity('kim'))).toBe('RPC_BAD_ARGUMENTS')
  expect(game.stats().protocolErrors).toBe(0)
})

test('a player passes what it offers itself and gets what its link reaches, nothing more', async () => {
  const cluster = new SimCluster()
  const server = cluster.node('server', { trustLoopback: false })
  const player = cluster.node('player', { trustLoopback: false })
  const { atB } = await cluster.pair(server, player)
  const desk = new Desk()
  server.expose('desk', desk)
  server.serve('kim', new Avatar('Kim'))
  desk.self = server.service<typeof Desk>('desk')
  desk.kim = server.entity<typeof Avatar>({ id: 'kim' })
  const hud = new Hud()
  player.expose('hud', hud, { show: ['server', 'player'] })
  const remote = atB.service<typeof Desk, 'player'>('desk')
  expect(await cluster.result(remote.greet(player.service<typeof Hud>('hud')))).toBe(1)
  expect(hud.shown).toEqual(['welcome, player'])
  // The service arrives as one of the link: with the rights of a player.
  const same = (await cluster.result(remote.itself())) as unknown as Record<
    string,
    () => Promise<unknown>
  >
  expect(await cluster.failure(same['wrap']!())).toMatchObject({ code: 'RPC_FORBIDDEN' })
  // Entities are not open to players.
  expect(await cluster.failure(remote.avatar())).toMatchObject({ code: 'RPC_BAD_REPLY' })
  const elsewhere = player.at<typeof Hud>('sim://server:1', 'hud')
  expect(await cluster.failure(remote.greet(elsewhere))).toMatchObject({
    code: 'RPC_BAD_ARGUMENTS',
  })
})

test('whatever a player says of a remote, none leads beyond its link', async () => {
  const node = new RpcNode({ id: 'n', transports: [memoryNetwork().transport()] })
  let dialled = 0
  const heard: unknown[] = []
  class Trap {
    static readonly rpc = { take: ['player', 'server'] } as const
    take(value: unknown): void {
      heard.push(value)
    }
  }
  node.expose('trap', new Trap())
  const link = new FakeLink()
  node.attach(link, { trust: 'player' })
  const route = hex(makeRoute('trap', 'take').bytes)
  const text = (value: string): string =>
    `0${value.length.toString(16)} ${hex(Buffer.from(value))} `
  const frame = (ext: string): Uint8Array => {
    const bytes = unhex(ext)
    return unhex(
      `26 01 00 00 00 00 ${route} 91 c7 ${bytes.length.toString(16).padStart(2, '0')} 52 ${ext}`,
    )
  }
  const answer = (): string => Buffer.from(link.sent.at(-1) ?? []).toString('latin1')
  const empty = text('')
  for (const ext of [
    // cluster: a service, an entity; receiver: a service, an entity
    `00 ${text('svc')} ${empty} ${empty} ${text('tcp://x')} ${empty} ${empty}`,
    `00 ${empty} ${text('kim')} ${empty} ${text('tcp://x')} ${empty} ${empty}`,
    `02 ${text('trap')} ${empty} ${empty}`,
    `02 ${empty} ${text('kim')} ${empty}`,
    // malformed: of no kind, both, neither, cut short
    `03 ${text('svc')} ${empty} ${empty}`,
    `01 ${text('svc')} ${text('kim')} ${empty}`,
    `01 ${empty} ${empty} ${empty}`,
    `01 ${text('svc')} ${empty}`,
    `01`,
  ]) {
    link.onMessage(frame(ext))
    expect(answer()).toContain('RPC_BAD_ARGUMENTS')
  }
  expect([heard, dialled]).toEqual([[], 0])
  link.onMessage(frame(`01 ${text('svc')} ${empty} ${text('a.b')}`))
  expect(String(heard[0])).toBe('[remote svc.a.b]')
})

class Store {
  static readonly rpc = {
    sum: ['server', 'player'],
    first: 'server',
    ignore: 'server',
    double: 'server',
    slow: 'server',
    keep: 'server',
    refuse: 'server',
  } as const satisfies RpcTable<Store>
  read = 0
  kept: Promise<unknown> | undefined
  async sum(numbers: AsyncIterable<number>, plus = 0): Promise<number> {
    let sum = plus
    for await (const number of numbers) sum += number
    return sum
  }
  async first(numbers: AsyncIterable<number>): Promise<number> {
    for await (const number of numbers) return number
    return -1
  }
  ignore(numbers: AsyncIterable<number>): string {
    return typeof numbers
  }
  async *double(numbers: AsyncIterable<number>): AsyncGenerator<number> {
    for await (const number of numbers) yield number * 2
  }
  async slow(numbers: AsyncIterable<Uint8Array>): Promise<number> {
    const iterator = numbers[Symbol.asyncIterator]()
    await iterator.next()
    await new Promise(() => {})
    return 0
  }
  keep(numbers: AsyncIterable<number>): void {
    this.kept = settle(this.sum(numbers))
  }
  refuse(numbers: AsyncIterable<number>): void {
    void numbers
    throw Object.assign(new Error('not now'), { code: 'NOT_NOW' })
  }
}

/** Numbers that say how many were taken, and whether they were let go. */
function numbers(to: number, failAt = Infinity) {
  const state = { made: 0, ended: 0 }
  async function* make(): AsyncGenerator<number> {
    try {
      for (let i = 1; i <= to; i++) {
        if (i === failAt) throw Object.assign(new Error('dry'), { code: 'DRY' })
        state.made = i
        yield i
      }
    } finally {
      state.ended += 1
    }
  }
  return { state, items: make() }
}

async function streams() {
  const cluster = new SimCluster(1, { delayMs: 5 })
  const server = cluster.node('server')
  const client = cluster.node('client')
  const store = new Store()
  server.expose('store', store)
  const { atA, atB } = await cluster.pair(server, client)
  const remote = client.at<typeof Store>('sim://server:1', 'store')
  return { cluster, clock: cluster.clock, server, client, store, remote, atA, atB }
}

test('an async iterable as an argument is a stream towards the handler', async () => {
  const { cluster, remote } = await streams()
  const { items, state } = numbers(1000)
  expect(await cluster.result(remote.sum(items, 5))).toBe(500_505)
  expect(state).toEqual({ made: 1000, ended: 1 })
  expect(await cluster.result(remote.sum(numbers(0).items))).toBe(0)
})

test('streams go both ways in one call', async () => {
  const { cluster, remote } = await streams()
  const read = async (): Promise<number[]> => {
    const doubled: number[] = []
    for await (const number of remote.double(numbers(100).items)) doubled.push(number)
    return doubled
  }
  const doubled = await cluster.result(read())
  expect([doubled.length, doubled.at(-1)]).toEqual([100, 200])
})

test('a stream that is not read to its end is let go where it is made', async () => {
  const { cluster, clock, remote } = await streams()
  const first = numbers(1e6)
  expect(await cluster.result(remote.first(first.items))).toBe(1)
  await clock.advance(20)
  expect(first.state).toEqual({ made: 32, ended: 1 })
  // Nobody began to read: nothing was ever made.
  const ignored = numbers(10)
  expect(await cluster.result(remote.ignore(ignored.items))).toBe('object')
  await clock.advance(20)
  expect(ignored.state.made).toBe(0)
  const refused = numbers(10)
  expect(await cluster.failure(remote.refuse(refused.items))).toMatchObject({ code: 'NOT_NOW' })
  expect(refused.state.made).toBe(0)
})

test('a handler may read on after its answer', async () => {
  const { cluster, store, remote } = await streams()
  await cluster.result(remote.keep(numbers(100).items))
  expect(await cluster.result(store.kept!)).toEqual([undefined, 5050])
})

test('an error of the caller’s iterator reaches the handler with its code', async () => {
  const { cluster, remote } = await streams()
  const { items, state } = numbers(10, 4)
  expect(await cluster.failure(remote.sum(items))).toMatchObject({ code: 'DRY', message: 'dry' })
  expect(state).toEqual({ made: 3, ended: 1 })
})

test('the window is of bytes too, in both directions', async () => {
  const { cluster, clock, remote } = await streams()
  let made = 0
  async function* large(): AsyncGenerator<Uint8Array> {
    for (;;) {
      made += 1
      yield new Uint8Array(100_000)
    }
  }
  const call = settle(withCall(remote, { timeoutMs: 500 }).slow(large()))
  await clock.advance(100)
  // 256 KiB of items, the last one beyond; one was read.
  expect(made).toBeLessThanOrEqual(5)
  await clock.advance(500)
  expect((await call)[0]).toMatchObject({ code: 'RPC_TIMEOUT' })
  const before = made
  await clock.advance(100)
  expect(made).toBe(before)
  void cluster
})

test('a call that fails ends its streams; a lost link ends them at both ends', async () => {
  const { cluster, clock, server, store, remote, atA } = await streams()
  const controller = new AbortController()
  async function* endless(): AsyncGenerator<number> {
    await new Promise(() => {})
    yield 1
  }
  const aborted = settle(withCall(remote, { signal: controller.signal }).sum(endless()))
  await clock.advance(20)
  controller.abort(new Error('enough'))
  expect((await aborted)[0]?.message).toBe('enough')
  await clock.advance(20)
  expect(server.stats().runningCalls).toBe(0)
  await cluster.result(remote.keep(endless()))
  atA.close()
  await clock.advance(20)
  expect(((await store.kept!) as [RpcError])[0]).toMatchObject({ code: 'RPC_CLOSED' })
})

test('notifications take no streams, and a player keeps few of them open', async () => {
  const { remote } = await streams()
  expect(() => notify(remote).ignore(numbers(1).items)).toThrow(RpcError)
  const node = new RpcNode({ id: 'n' })
  class Sink {
    static readonly rpc = { take: 'player' } as const
    readonly held: unknown[] = []
    async take(stream: AsyncIterable<unknown>): Promise<void> {
      this.held.push(settle(stream[Symbol.asyncIterator]().next()))
      await new Promise(() => {})
    }
  }
  node.expose('sink', new Sink())
  const link = new FakeLink()
  const peer = node.attach(link, { trust: 'player' })
  const route = hex(makeRoute('sink', 'take').bytes)
  for (let id = 1; id <= 17; id++) {
    const number = id.toString(16).padStart(2, '0')
    link.onMessage(unhex(`26 ${number} 00 00 00 00 ${route} 91 c7 04 53 ${number} 01 00 00`))
  }
  // Each was asked for, but the last.
  expect(link.sent.filter((frame) => frame[0] === 0x94)).toHaveLength(16)
  expect(Buffer.from(link.sent.at(-1)!).toString('latin1')).toContain('RPC_BAD_ARGUMENTS')
  // Beyond its credit: the link closes.
  for (let i = 0; i < 40; i++) link.onMessage(unhex('92 01 01 00 00 01'))
  expect(peer.isOpen).toBe(false)
})
