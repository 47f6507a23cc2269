import { expect, test } from 'vitest'
import {
  CLOSE,
  encodeNotify,
  RpcNode,
  settle,
  type Link,
  type RpcPeer,
  type RpcTable,
} from '../src/index.ts'
import { SteppedClock } from '@rts/testing'
import { FakeLink, SimCluster, unhex } from './support.ts'

class Desk {
  static readonly rpc = { open: 'player', inner: 'server' } as const satisfies RpcTable<Desk>
  open(): string {
    return 'open'
  }
  inner(): string {
    return 'inner'
  }
}

interface Taken {
  readonly link: Link
  readonly meta: unknown
  readonly peer: RpcPeer
  readonly messages: { readonly text: string; readonly unreliable: boolean | undefined }[]
  readonly closes: { readonly code: number; readonly reason: string }[]
}

async function setUp(): Promise<{
  cluster: SimCluster
  gate: RpcNode
  backend: RpcNode
  toBackend: RpcPeer
  taken: Taken[]
}> {
  const cluster = new SimCluster()
  const gate = cluster.node('gate')
  const backend = cluster.node('backend')
  const taken: Taken[] = []
  backend.onVirtualLink((link, meta, peer) => taken.push(watch(link, meta, peer)))
  const { atB } = await cluster.pair(backend, gate)
  return { cluster, gate, backend, toBackend: atB, taken }
}

function watch(link: Link, meta: unknown, peer: RpcPeer): Taken {
  const one: Taken = { link, meta, peer, messages: [], closes: [] }
  link.onMessage = (message, unreliable) =>
    one.messages.push({ text: new TextDecoder().decode(message), unreliable })
  link.onClose = (code, reason) => one.closes.push({ code, reason })
  return one
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('open with meta, data both ways in order, and the mark of the state lane', async () => {
  const { cluster, toBackend, taken, gate, backend } = await setUp()
  const near = watch(toBackend.openVirtualLink({ session: 's1', epoch: 3 }), undefined, toBackend)
  near.link.send(bytes('one'))
  near.link.sendUnreliable!(bytes('two'))
  await cluster.clock.advance(10)
  expect(taken[0]?.meta).toEqual({ session: 's1', epoch: 3 })
  expect(taken[0]?.peer.nodeId).toBe('gate')
  expect(taken[0]?.messages).toEqual([
    { text: 'one', unreliable: false },
    { text: 'two', unreliable: true },
  ])
  taken[0]!.link.send(bytes('back'))
  await cluster.clock.advance(10)
  expect(near.messages).toEqual([{ text: 'back', unreliable: false }])
  expect([gate.stats().virtualLinks, backend.stats().virtualLinks]).toEqual([1, 1])
})

test.each(['near', 'far'] as const)(
  'a close by the %s end reaches both with code and reason',
  async (who) => {
    const { cluster, toBackend, taken, gate, backend } = await setUp()
    const near = watch(toBackend.openVirtualLink(null), undefined, toBackend)
    await cluster.clock.advance(10)
    const end = who === 'near' ? near : taken[0]!
    end.link.close(4711, 'moved')
    end.link.close(4712, 'again')
    expect(end.closes).toEqual([])
    await cluster.clock.advance(10)
    expect([near.closes, taken[0]?.closes]).toEqual([
      [{ code: 4711, reason: 'moved' }],
      [{ code: 4711, reason: 'moved' }],
    ])
    expect(near.link.send(bytes('late'))).toBe(false)
    expect([gate.stats().virtualLinks, backend.stats().virtualLinks]).toEqual([0, 0])
  },
)

test('both ends number their own links: each may have a first one', async () => {
  const { cluster, toBackend, taken, gate } = await setUp()
  const opened: Taken[] = []
  gate.onVirtualLink((link, meta, peer) => opened.push(watch(link, meta, peer)))
  const near = watch(toBackend.openVirtualLink('from gate'), undefined, toBackend)
  await cluster.clock.advance(10)
  const back = watch(taken[0]!.peer.openVirtualLink('from backend'), undefined, taken[0]!.peer)
  await cluster.clock.advance(10)
  near.link.send(bytes('a'))
  back.link.send(bytes('b'))
  await cluster.clock.advance(10)
  expect(taken[0]?.messages.map(({ text }) => text)).toEqual(['a'])
  expect(opened[0]?.messages.map(({ text }) => text)).toEqual(['b'])
  expect(near.messages).toEqual([])
})

test('the loss of the carrying link closes them all', async () => {
  const { cluster, toBackend, taken } = await setUp()
  const near = watch(toBackend.openVirtualLink(null), undefined, toBackend)
  await cluster.clock.advance(10)
  cluster.network.cut('gate', 'backend')
  await cluster.clock.advance(10)
  expect([near.closes[0]?.code, taken[0]?.closes[0]?.code]).toEqual([CLOSE.lost, CLOSE.lost])
  expect(() => toBackend.openVirtualLink(null)).toThrow(/closed/)
})

test('without a handler an open is refused, and so is one whose handler throws', async () => {
  const cluster = new SimCluster()
  const gate = cluster.node('gate')
  const backend = cluster.node('backend')
  const { atB } = await cluster.pair(backend, gate)
  const first = watch(atB.openVirtualLink(null), undefined, atB)
  await cluster.clock.advance(10)
  expect(first.closes[0]?.code).toBe(CLOSE.refused)
  backend.onVirtualLink(() => {
    throw Object.assign(new Error('full'), { code: 'LOBBY_FULL' })
  })
  const second = watch(atB.openVirtualLink(null), undefined, atB)
  await cluster.clock.advance(10)
  expect(second.closes).toEqual([{ code: CLOSE.refused, reason: 'LOBBY_FULL' }])
  expect(() => backend.onVirtualLink(() => {})).toThrow(/there is a handler/)
})

test('only servers open them: a player can neither open here nor be opened to', () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  let opened = 0
  node.onVirtualLink(() => (opened += 1))
  const link = new FakeLink()
  const peer = node.attach(link, { trust: 'player' })
  expect(() => peer.openVirtualLink(null)).toThrow(
    expect.objectContaining({ code: 'RPC_FORBIDDEN' }) as Error,
  )
  link.onMessage(unhex('0d 01 00 00 00 c0'))
  link.onMessage(unhex('0e 01 00 00 00 aa'))
  expect(opened).toBe(0)
  expect(link.sent[0]?.[0]).toBe(0x2f)
  expect(node.stats().refusedForbidden).toBe(1)
  expect(peer.isOpen).toBe(true)
})

test('a player’s virtual link inside a server link reaches nothing that is not open to players', async () => {
  const cluster = new SimCluster()
  const gate = cluster.node('gate')
  const target = cluster.node('target')
  let opened = 0
  target.expose('desk', new Desk())
  target.serve('e1', new Desk())
  target.onVirtualLink((link, meta, peer) => {
    expect(peer.caller).toBe('server')
    opened += 1
    const session = target.attach(link, { trust: 'player', name: String(meta) })
    session.expose('own', new Desk())
  })
  const { atB } = await cluster.pair(target, gate)

  // The client's end of the session, on the carrying server link of the gate.
  const clientNode = new RpcNode({ id: 'client', clock: cluster.clock, random: cluster.random })
  const client = clientNode.attach(atB.openVirtualLink('s1'), { trust: 'server' })
  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    const [error] = await settle(cluster.result(promise))
    return (error as { code?: string } | undefined)?.code ?? 'no error'
  }
  type Loose = Record<string, () => Promise<unknown>>
  for (const service of ['desk', 'own']) {
    const remote = client.service(service) as unknown as Loose
    expect(await codeOf(remote['open']!())).toBe('no error')
    expect(await codeOf(remote['inner']!())).toBe('RPC_FORBIDDEN')
  }
  const entity = client.entity('e1') as unknown as Loose
  expect(await codeOf(entity['open']!())).toBe('RPC_FORBIDDEN')
  expect(await codeOf(entity['inner']!())).toBe('RPC_FORBIDDEN')

  // A virtual link of its own inside, and a hello that claims more.
  const closes: number[] = []
  const nested = client.openVirtualLink('nested')
  nested.onClose = (code) => closes.push(code)
  await cluster.clock.advance(20)
  expect([closes, opened]).toEqual([[CLOSE.refused], 1])

  // Decoder and limits are the player's as well.
  const use = client.service('desk') as unknown as Record<string, (x: unknown) => Promise<unknown>>
  let deep: unknown = 1
  for (let i = 0; i < 20; i++) deep = [deep]
  expect(await codeOf(use['open']!(deep))).toBe('RPC_BAD_ARGUMENTS')
  expect(await codeOf(use['open']!(new Uint8Array(20_000)))).toBe('RPC_CLOSED')
  expect(atB.isOpen).toBe(true)
})

test('garbage on a virtual link closes that one and leaves the carrying link alone', async () => {
  const cluster = new SimCluster()
  const gate = cluster.node('gate')
  const backend = cluster.node('backend')
  backend.onVirtualLink((link) => backend.attach(link, { trust: 'player' }))
  const { atB } = await cluster.pair(backend, gate)
  const bad = watch(atB.openVirtualLink(null), undefined, atB)
  const good = watch(atB.openVirtualLink(null), undefined, atB)
  bad.link.send(unhex('1f ff ff'))
  await cluster.clock.advance(10)
  expect(bad.closes[0]?.code).toBe(CLOSE.protocol)
  expect([good.closes, atB.isOpen]).toEqual([[], true])
})

test('an encoded notification arrives on any RPC link, also a virtual one', async () => {
  const cluster = new SimCluster()
  const gate = cluster.node('gate')
  const backend = cluster.node('backend')
  const { atB } = await cluster.pair(gate, backend)
  const seen: unknown[] = []
  const client = new RpcNode({ id: 'client', clock: cluster.clock })
  gate.onVirtualLink((link) => {
    const peer = client.attach(link, { trust: 'server' })
    peer.expose('arena', { state: (...args: unknown[]) => seen.push(args) }, { state: 'server' })
  })
  const frame = encodeNotify('arena', 'state', [1, { x: 2 }])
  for (let i = 0; i < 2; i++) {
    const link = atB.openVirtualLink(i)
    link.send(frame)
    link.sendUnreliable!(frame)
  }
  await cluster.clock.advance(10)
  expect(seen).toEqual(Array.from({ length: 4 }, () => [1, { x: 2 }]))
})

test('one that floods a stalled carrier is closed; the others wait for the drain', async () => {
  const node = new RpcNode({ id: 'n', clock: new SteppedClock() })
  const carrier = new FakeLink()
  const peer = node.attach(carrier, { trust: 'server' })
  const loud = watch(peer.openVirtualLink(1), undefined, peer)
  const quiet = watch(peer.openVirtualLink(2), undefined, peer)
  let drains = 0
  quiet.link.onDrain = () => (drains += 1)
  carrier.isFull = true
  expect(quiet.link.send(bytes('x'))).toBe(false)
  for (let i = 0; i < 40; i++) loud.link.send(new Uint8Array(50_000))
  expect(loud.link.send(bytes('x'))).toBe(false)
  expect(carrier.sent.at(-1)?.[0]).toBe(0x0f)
  // State that cannot leave is dropped instead.
  for (let i = 0; i < 40; i++) quiet.link.sendUnreliable!(new Uint8Array(50_000))
  expect(quiet.link.bufferedBytes).toBeLessThanOrEqual(1024 * 1024)
  carrier.isFull = false
  carrier.onDrain()
  expect([drains, quiet.link.bufferedBytes]).toEqual([1, 0])
  expect(quiet.link.send(bytes('y'))).toBe(true)
})
