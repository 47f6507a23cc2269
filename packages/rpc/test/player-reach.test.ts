import { expect, test } from 'vitest'
import { RpcNode, type Link, type RpcTable } from '../src/index.ts'
import { encodeEntityId, makeRoute } from '../src/wire.ts'
import { FakeLink, hex, SimCluster, unhex } from './support.ts'

// Everything a frame of a player can name, on a link of its own and on a virtual one inside a server link.

const ran: string[] = []

class Part {
  static readonly rpc = { open: 'player', inner: 'server', admin: 'admin' } as const
  open(): void {
    ran.push('part.open')
  }
  inner(): void {
    ran.push('part.inner')
  }
  admin(): void {
    ran.push('part.admin')
  }
  secret(): void {
    ran.push('part.secret')
  }
}
class Closed {
  static readonly rpc = { inner: 'server' } as const satisfies RpcTable<Closed>
  inner(): void {
    ran.push('closed.inner')
  }
}
class Base {
  inherited(): void {
    ran.push('inherited')
  }
}
class Desk extends Base {
  static readonly rpc = {
    open: ['player', 'server'],
    inner: 'server',
    admin: 'admin',
    feed: 'server',
    audit: 'admin',
    take: 'server',
  } as const
  static readonly components = { part: Part, closed: Closed }
  static readonly made = (): void => void ran.push('static')
  readonly part: Part = new Part()
  readonly closed: Closed = new Closed()
  readonly loose = (): void => void ran.push('loose')
  open(): void {
    ran.push('open')
  }
  inner(): void {
    ran.push('inner')
  }
  admin(): void {
    ran.push('admin')
  }
  secret(): void {
    ran.push('secret')
  }
  async *feed(): AsyncGenerator<number> {
    ran.push('feed')
    yield 1
  }
  async *audit(): AsyncGenerator<number> {
    ran.push('audit')
    yield 1
  }
  take(): void {
    ran.push('take')
  }
  #hidden(): void {
    ran.push('#hidden')
  }
  get gotten(): () => void {
    ran.push('get gotten')
    return () => this.#hidden()
  }
  set put(_: unknown) {
    ran.push('set put')
  }
  get [Symbol.toStringTag](): string {
    return 'Desk'
  }
  static secret(): void {
    ran.push('static secret')
  }
}

const METHODS = [
  ...['inner', 'admin', 'secret', 'inherited', 'loose', 'made', 'constructor', 'constructor.made'],
  ...['toString', 'valueOf', 'hasOwnProperty', '__proto__', '__proto__.inner', 'prototype.inner'],
  ...['then', 'open.call', 'open.bind', 'open.constructor', 'rpc', 'components', '', '.', 'open.'],
  ...['part', 'part.inner', 'part.admin', 'part.secret', 'part.constructor', 'part.part.open'],
  ...['feed', 'audit', 'take', 'gotten', 'get gotten', 'put', 'set put', 'hidden', '#hidden'],
  ...['gotten.call', 'put.call', 'open.name', 'constructor.secret', 'constructor.name', 'length'],
  ...[
    '__defineGetter__',
    '__lookupSetter__',
    'isPrototypeOf',
    'toLocaleString',
    'toJSON',
    'dispose',
  ],
  ...['Symbol(Symbol.toStringTag)', '@@toStringTag', 'part.toString', 'part..inner', '.part.inner'],
  ...['closed.inner', 'closed.constructor', 'constructor.prototype.inner', 'part.__proto__.inner'],
]
const SERVICES = [
  'desk',
  'own',
  'hidden',
  '',
  'toString',
  '__proto__',
  'constructor',
  'e1',
  'nobody',
]

/** A remote as it stands among arguments: texts, each behind its length. */
function madeUp(reach: number, ...texts: string[]): string {
  const bytes = [
    reach,
    ...texts.flatMap((text) => [text.length, ...new TextEncoder().encode(text)]),
  ]
  return hex(Uint8Array.of(0xc7, bytes.length, 0x52, ...bytes))
}

/** At an address, of an entity wherever it is, with a path that is none, and malformed ones. */
const MADE_UP = [
  madeUp(0, 'desk', '', '', 'sim://target:1', '', ''),
  madeUp(0, 'desk', '', '', '', '', ''),
  madeUp(0, '', 'e1', '', '', '', ''),
  madeUp(0, '', 'e1', 'part', 'sim://target:1', 'Desk', 'e1'),
  madeUp(0, 'desk', '', 'constructor', '', '', ''),
  madeUp(1, 'desk', 'e1', ''),
  madeUp(3, 'desk', '', ''),
  madeUp(9),
  'c7 00 52',
  'd4 52 00',
]

/** Sends every frame that could reach something; `link` is the player's end of it. */
function attack(send: (frame: Uint8Array) => void): void {
  const chain = '0a 01 08 05 00 00 00 01 00 00 00'
  let id = 1
  const u32 = (): string =>
    `${(id++ % 250) + 1} 00 00 00`.replace(/^\d+/, (n) => Number(n).toString(16).padStart(2, '0'))
  for (const method of METHODS) {
    for (const service of SERVICES) {
      const route = hex(makeRoute(service, method).bytes)
      for (const args of ['90', '91 07', '91 d6 53 09 00 00 00']) {
        send(unhex(`26 ${u32()} 00 ${route} ${args}`))
        send(unhex(`27 ${route} ${args}`))
        send(unhex(`a6 ${u32()} 00 ${route} ${chain} ${args}`))
        for (const entity of ['e1', 'desk', '__proto__', 'session']) {
          const named = hex(encodeEntityId(entity))
          send(unhex(`66 ${u32()} 00 ${route} ${named} ${args}`))
          send(unhex(`67 ${route} ${named} ${args}`))
          send(unhex(`e6 ${u32()} 00 ${route} ${named} ${chain} ${args}`))
        }
      }
    }
    // By its number too.
  }
  METHODS.forEach((method, number) => {
    send(
      unhex(`05 ${number.toString(16).padStart(2, '0')} ${hex(makeRoute('desk', method).bytes)}`),
    )
    send(unhex(`06 ${u32()} 00 ${number.toString(16).padStart(2, '0')} 90`))
    send(unhex(`46 ${u32()} 00 ${number.toString(16).padStart(2, '0')} 02 65 31 90`))
  })
  // Remotes that are made up, as arguments of what is open and of what is not: none leads beyond the link.
  for (const method of ['open', 'inner', 'take']) {
    const route = hex(makeRoute('desk', method).bytes)
    for (const remote of MADE_UP) send(unhex(`26 ${u32()} 00 ${route} 91 ${remote}`))
  }
  // Answers, items, credits and cancels for what is not theirs.
  for (const frame of [
    '08 01 00 00 00 91 07',
    '09 01 00 00 00 02 01 41 01 62',
    '0a 01 00 00 00',
    '8a 01 00 00 00',
    '11 01 00 00 00',
    '12 01 00 00 00 07',
    '13 01 00 00 00',
    '14 01 00 00 00 20 80 80 10',
    '93 01 00 00 00',
    '94 01 00 00 00 20 80 80 10',
    '0d 01 00 00 00 81 a1 61 01',
    '0f 01 00 00 00 a0 0f 02 6f 6b',
  ]) {
    send(unhex(frame))
  }
}

function setUp(attach: (node: RpcNode) => void): RpcNode {
  ran.length = 0
  const node = new RpcNode({ id: 'n', trustLoopback: true })
  node.expose('desk', new Desk())
  node.expose('hidden', new Closed())
  node.serve('e1', new Desk())
  attach(node)
  return node
}

test('a link of a player reaches nothing that is not open to players, by whatever frame', async () => {
  const link = new FakeLink()
  let waiting = false
  const node = setUp((n) => {
    const peer = n.attach(link, { trust: 'player' })
    peer.expose('own', new Desk())
    void peer
      .service<typeof Desk>('theirs')
      .inner()
      .then(
        () => (waiting = true),
        () => {},
      )
    n.onVirtualLink(() => void ran.push('virtual link'))
  })
  attack((frame) => {
    expect(link.closed).toBeUndefined()
    link.onMessage(frame)
  })
  await new Promise((resolve) => setImmediate(resolve))
  // The remotes made up were arguments of a method that is open: it must not have run either.
  expect(ran).toEqual([])
  // No answer but refusals, and nothing of a stream: its calls, credits, and a service of its own aside.
  const kinds = new Set(link.sent.map((frame) => frame[0]! & 0x1f))
  expect([...kinds].filter((kind) => [8, 14, 17, 18].includes(kind))).toEqual([])
  // What it may answer is what it was asked: its own call.
  expect(waiting).toBe(true)
  expect(node.stats().refusedForbidden).toBeGreaterThan(100)
  const open = hex(makeRoute('desk', 'open').bytes)
  link.onMessage(unhex(`26 01 00 00 00 00 ${open} 90`))
  link.onMessage(unhex(`26 01 00 00 00 00 ${hex(makeRoute('own', 'part.open').bytes)} 90`))
  expect(ran).toEqual(['open', 'part.open'])
})

test('nor does a virtual one inside a server link, whatever carries it', async () => {
  const cluster = new SimCluster()
  ran.length = 0
  const gate = cluster.node('gate')
  const target = cluster.node('target')
  target.expose('desk', new Desk())
  target.expose('hidden', new Closed())
  target.serve('e1', new Desk())
  let inner: Link | undefined
  target.onVirtualLink((link, meta, peer) => {
    if (meta !== 'session') ran.push('virtual link')
    expect(peer.caller).toBe('server')
    inner = link
    target.attach(link, { trust: 'player' }).expose('own', new Desk())
  })
  const { atB } = await cluster.pair(target, gate)
  const outer = atB.openVirtualLink('session')
  await cluster.clock.advance(10)
  let closed = false
  outer.onClose = () => (closed = true)
  let sent = 0
  const frames: Uint8Array[] = []
  attack((frame) => void frames.push(frame))
  for (const frame of frames) {
    outer.send(frame)
    if (++sent % 500 === 0) await cluster.clock.advance(10)
  }
  await cluster.clock.advance(50)
  expect([ran, closed, atB.isOpen, inner !== undefined]).toEqual([[], false, true, true])
  outer.send(unhex(`26 01 00 00 00 00 ${hex(makeRoute('desk', 'open').bytes)} 90`))
  await cluster.clock.advance(10)
  expect(ran).toEqual(['open'])
})

test('a probe, or an item nobody asked for, closes a player’s link', () => {
  for (const frame of [
    '10 01 00 00 00 05 00 00 00 01 00 00 00 01 00 00 00 00 00',
    '05 09 01 61 01 62',
    '1f 00',
  ]) {
    const link = new FakeLink()
    setUp((node) => void node.attach(link, { trust: 'player' }))
    link.onMessage(unhex(frame))
    expect(link.closed?.code, frame).toBe(4400)
  }
})
