import { seededRandom } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { RpcClient } from '../../src/client.ts'
import {
  currentCall,
  notify,
  type RpcNode,
  settle,
  withCall,
  type CallContext,
  type Link,
  type Remote,
  type RpcPeer,
  type RpcTable,
} from '../../src/index.ts'
import { FakeLink, SimCluster, unhex } from '../support.ts'

class Shop {
  static readonly rpc = {
    echo: 'player',
    buy: 'player',
    wait: 'player',
    fail: 'player',
    count: 'player',
    audit: 'server',
  } as const satisfies RpcTable<Shop>
  readonly bought: string[] = []
  signals: AbortSignal[] = []
  echo(...values: unknown[]): unknown[] {
    return values
  }
  buy(item: string): void {
    this.bought.push(item)
  }
  wait(): Promise<never> {
    this.signals.push(currentCall().signal)
    return new Promise(() => {})
  }
  fail(): void {
    throw Object.assign(new Error('sold out'), { code: 'SOLD_OUT', data: { left: 0 } })
  }
  async *count(to: number): AsyncGenerator<number> {
    for (let i = 1; i <= to; i += 1) yield i
  }
  audit(): void {}
}

class Hud {
  static readonly rpc = {
    ask: 'server',
    slow: 'server',
    fail: 'server',
    watch: 'server',
    function: 'server',
    mine: 'player',
  } as const satisfies RpcTable<Hud>
  calls: CallContext[] = []
  ask(question: string): string {
    this.calls.push(currentCall())
    return `${question}? yes`
  }
  slow(): Promise<void> {
    this.calls.push(currentCall())
    void currentCall().signal
    return new Promise(() => {})
  }
  async fail(): Promise<never> {
    throw Object.assign(new Error('no eyes'), { code: 'NO_EYES', data: [1] })
  }
  async *watch(to: number): AsyncGenerator<string> {
    for (let i = 1; i <= to; i += 1) yield `frame ${i}`
    throw Object.assign(new Error('dark'), { code: 'DARK' })
  }
  function(): unknown {
    return () => {}
  }
  mine(): void {}
}

class Form {
  static readonly rpc = { step: 'server' } as const satisfies RpcTable<Form>
  static readonly execution = 'serial'
  readonly done: (() => void)[] = []
  running = 0
  async step(): Promise<number> {
    this.running += 1
    const { running } = this
    await new Promise<void>((resolve) => this.done.push(resolve))
    this.running -= 1
    return running
  }
}

const worlds: SimCluster[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) {
    await world.result(Promise.all(world.nodes.map((node) => node.close())))
  }
})

interface Ends {
  readonly world: SimCluster
  readonly server: RpcNode
  /** The client as the server sees it. */
  readonly player: RpcPeer
  shop: Remote<typeof Shop, 'player'>
  expose(name: string, object: object): void
  /** At the client. */
  stats(): ReturnType<RpcClient['stats']>
  clientLink: Link
}

async function links(world: SimCluster): Promise<{ server: Link; client: Link }> {
  const { clock, random, network } = world
  const options = { trust: 'player', clock, random } as const
  let server: Link | undefined
  await network.host('server').listen('sim://server:1', options, (link) => (server = link))
  const { signal } = new AbortController()
  const dial = network.host('player').dial('sim://server:1', { ...options, signal })
  return { client: await world.result(dial), server: server! }
}

async function ends(kind: string): Promise<Ends> {
  const world = new SimCluster()
  worlds.push(world)
  const server = world.node('server')
  const { server: serverLink, client: clientLink } = await links(world)
  const player = server.attach(serverLink, { trust: 'player' })
  const limits = { maxReceiveBytes: 100_000, maxSendBytes: 16_384 }
  if (kind === 'RpcNode') {
    const node = world.node('player')
    const peer = node.attach(clientLink, { trust: 'server', ...limits })
    const shop = peer.service<typeof Shop, 'player'>('shop')
    const expose = (name: string, object: object): void => void node.expose(name, object)
    return { world, server, player, shop, expose, stats: () => node.stats(), clientLink }
  }
  const client = new RpcClient({ clock: world.clock })
  const destination = client.destination('server')
  destination.attach(clientLink, limits)
  const shop = destination.service<typeof Shop>('shop')
  const expose = (name: string, object: object): void => void client.expose(name, object)
  return { world, server, player, shop, expose, stats: () => client.stats(), clientLink }
}

// What a player's RPC does is the same whether it is a node that does it or a client.
describe.each(['RpcNode', 'RpcClient'])('%s as a player', (kind) => {
  test('sends and gets back every kind of value', async () => {
    const { world, server, shop } = await ends(kind)
    server.expose('shop', new Shop())
    const values = [
      null,
      true,
      -1,
      1.5,
      2 ** 40,
      7n,
      'grüße',
      new Date(1_700_000_000_123),
      Uint8Array.of(1, 2),
      new Float32Array([1, 2]),
      [{ deep: [{ er: undefined }] }],
    ]
    expect(await world.result(shop.echo(...values))).toEqual(values)
    expect(await world.result(shop.buy('hat'))).toBeUndefined()
  })

  test('hears errors with code, message and data, and what it may not do', async () => {
    const { world, server, shop } = await ends(kind)
    server.expose('shop', new Shop())
    expect(await world.failure(shop.fail())).toMatchObject({
      code: 'SOLD_OUT',
      message: 'sold out',
      executed: 'yes',
      data: { left: 0 },
    })
    const hidden = shop as unknown as Remote<typeof Shop>
    expect(await world.failure(hidden.audit())).toMatchObject({
      code: 'RPC_FORBIDDEN',
      executed: 'no',
    })
  })

  test('ends calls by time, by signal and with the link, and tells the handler', async () => {
    const { world, server, shop, clientLink, stats } = await ends(kind)
    const target = new Shop()
    server.expose('shop', target)
    expect(await world.failure(withCall(shop, { timeoutMs: 100 }).wait())).toMatchObject({
      code: 'RPC_TIMEOUT',
      executed: 'maybe',
    })
    const abort = new AbortController()
    const aborted = settle(withCall(shop, { signal: abort.signal }).wait())
    await world.clock.advance(50)
    abort.abort(new Error('never mind'))
    expect((await aborted)[0]?.message).toBe('never mind')
    await world.clock.advance(50)
    expect(target.signals.map(({ aborted }) => aborted)).toEqual([true, true])

    const lost = settle(shop.wait())
    await world.clock.advance(20)
    world.network.cut('server', 'player')
    expect((await world.result(lost))[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    expect(stats()).toMatchObject({ pendingCalls: 0, timeouts: 1, lost: 1, peers: 0 })
    expect(clientLink.bufferedBytes).toBe(0)
  })

  test('refuses to send what cannot be sent, before anything leaves', async () => {
    const { world, server, shop } = await ends(kind)
    const target = new Shop()
    server.expose('shop', target)
    expect(await world.failure(shop.echo(() => {}))).toMatchObject({ code: 'RPC_BAD_ARGUMENTS' })
    expect(await world.failure(shop.echo('x'.repeat(20_000)))).toMatchObject({
      code: 'RPC_TOO_LARGE',
      executed: 'no',
    })
    await expect(withCall(shop, { timeoutMs: -1 }).wait()).rejects.toThrow(RangeError)
  })

  test('is told at once when its own result cannot be sent, be it a circle or too large', async () => {
    const { world, player, expose } = await ends(kind)
    const circle: unknown[] = []
    circle.push(circle)
    const table = { circle: 'server', large: 'server', promises: 'server' } as const
    class Odd {
      static readonly rpc = table
      circle(): unknown {
        return circle
      }
      large(): string {
        return 'x'.repeat(20_000)
      }
      promises(): unknown {
        return [Promise.resolve(1)]
      }
    }
    expose('odd', new Odd())
    const odd = player.service<typeof Odd>('odd')
    const codes: unknown[] = []
    for (const call of [() => odd.circle(), () => odd.large(), () => odd.promises()]) {
      const { code, executed } = await world.failure(call())
      codes.push([code, executed])
    }
    expect(codes).toEqual([
      ['RPC_BAD_REPLY', 'yes'],
      ['RPC_TOO_LARGE', 'yes'],
      ['RPC_BAD_REPLY', 'yes'],
    ])
  })

  test('notifies in order with calls', async () => {
    const { world, server, shop } = await ends(kind)
    const target = new Shop()
    server.expose('shop', target)
    expect(notify(shop).buy('a')).toBe(true)
    await world.result(shop.buy('b'))
    expect(target.bought).toEqual(['a', 'b'])
  })

  test('reads a stream, to its end and not', async () => {
    const { world, server, shop, stats } = await ends(kind)
    server.expose('shop', new Shop())
    const read = async (to: number, until: number): Promise<number[]> => {
      const items: number[] = []
      for await (const item of shop.count(to)) {
        items.push(item)
        if (item === until) break
      }
      return items
    }
    expect(await world.result(read(200, -1))).toHaveLength(200)
    expect(await world.result(read(1000, 3))).toEqual([1, 2, 3])
    await world.clock.advance(50)
    expect(server.stats().openStreams).toBe(0)
    expect(stats().pendingCalls).toBe(0)
  })

  test('answers a server, whatever its handler does', async () => {
    const { world, player, expose } = await ends(kind)
    const hud = new Hud()
    expose('hud', hud)
    const remote = player.service<typeof Hud>('hud')
    expect(await world.result(remote.ask('ready'))).toBe('ready? yes')
    expect(hud.calls[0]).toMatchObject({ caller: 'server' })
    expect(await world.failure(remote.fail())).toMatchObject({
      code: 'NO_EYES',
      executed: 'yes',
      data: [1],
    })
    expect(await world.failure(remote.function())).toMatchObject({ code: 'RPC_BAD_REPLY' })
    const untyped = player.service('hud') as Record<string, () => Promise<unknown>>
    for (const [method, code] of [
      ['mine', 'RPC_FORBIDDEN'],
      ['gone', 'RPC_UNKNOWN_METHOD'],
    ] as const)
      expect(await world.failure(untyped[method]!())).toMatchObject({ code, executed: 'no' })
    const nobody = player.service<typeof Hud>('nobody')
    expect(await world.failure(nobody.ask(''))).toMatchObject({ code: 'RPC_UNKNOWN_SERVICE' })
    const entity = player.entity<typeof Hud>('hud')
    expect(await world.failure(entity.ask(''))).toMatchObject({ code: 'RPC_UNKNOWN_ENTITY' })
  })

  test('tells a handler when its call is cancelled, late, or its caller is gone', async () => {
    const { world, player, expose, stats } = await ends(kind)
    const hud = new Hud()
    expose('hud', hud)
    const abort = new AbortController()
    const remote = player.service<typeof Hud>('hud')
    const first = settle(withCall(remote, { signal: abort.signal }).slow())
    const second = settle(withCall(remote, { timeoutMs: 200 }).slow())
    const third = settle(withCall(remote, { timeoutMs: 5000 }).slow())
    await world.clock.advance(50)
    expect(stats().runningCalls).toBe(3)
    const aborted = (): boolean[] => hud.calls.map(({ signal }) => signal.aborted)
    abort.abort(new Error('off'))
    await world.clock.advance(50)
    expect(aborted()).toEqual([true, false, false])
    await world.clock.advance(300)
    expect(aborted()).toEqual([true, true, false])
    world.network.cut('server', 'player')
    await world.clock.advance(50)
    expect(aborted()).toEqual([true, true, true])
    await Promise.all([first, second, third])
  })

  test('sends a stream, with credit, and its error at the end', async () => {
    const { world, player, expose, stats } = await ends(kind)
    expose('hud', new Hud())
    const items: string[] = []
    const read = async (): Promise<void> => {
      for await (const item of player.service<typeof Hud>('hud').watch(100)) items.push(item)
    }
    expect(await world.failure(read())).toMatchObject({ code: 'DARK', message: 'dark' })
    expect(items).toHaveLength(100)
    expect(stats().openStreams).toBe(0)
  })

  test('keeps the calls of a serial object apart, and refuses one whose turn comes too late', async () => {
    const { world, player, expose, stats } = await ends(kind)
    const form = new Form()
    expose('form', form)
    const remote = player.service<typeof Form>('form')
    const first = remote.step()
    const late = settle(withCall(remote, { timeoutMs: 300 }).step())
    const second = remote.step()
    await world.clock.advance(50)
    expect([form.running, stats().waitingCalls]).toEqual([1, 2])
    expect((await world.result(late))[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'no' })
    form.done.shift()?.()
    expect(await world.result(first)).toBe(1)
    await world.clock.advance(20)
    form.done.shift()?.()
    expect(await world.result(second)).toBe(1)
    expect(stats()).toMatchObject({ waitingCalls: 0, runningCalls: 0 })
  })

  test('a call made while handling one ends with it', async () => {
    const { world, server, player, shop, expose } = await ends(kind)
    server.expose('shop', new Shop())
    let inner: Promise<unknown> | undefined
    class Asker {
      static readonly rpc = { ask: 'server' } as const
      ask(): void {
        inner = settle(shop.wait())
      }
    }
    expose('asker', new Asker())
    const asker = player.service<typeof Asker>('asker')
    await world.result(withCall(asker, { timeoutMs: 400 }).ask())
    const since = world.clock.now()
    const [error] = (await world.result(inner!)) as [{ code: string }]
    expect(error.code).toBe('RPC_TIMEOUT')
    expect(world.clock.now() - since).toBeLessThan(450)
  })
})

describe('RpcClient', () => {
  test('announces its routes anew on each link, and believes no number of the link before', async () => {
    const world = new SimCluster()
    const client = new RpcClient({ clock: world.clock })
    client.expose('hud', new Hud())
    const destination = client.destination('game')
    const game = destination.service<typeof Shop>('shop')
    const [before, after] = [new FakeLink(), new FakeLink()]
    const call = async (link: FakeLink): Promise<string[]> => {
      void settle(game.buy('hat'))
      void settle(game.echo(1))
      await world.clock.advance(1)
      return link.takeHex().map((frame) => frame.slice(0, 5))
    }
    destination.attach(before)
    // route 0, call, route 1, call
    expect(await call(before)).toEqual(['05 00', '06 01', '05 01', '06 02'])
    expect(await call(before)).toEqual(['06 03', '06 04'])
    // The server numbers one of its own: "hud", "ask".
    before.onMessage(unhex('05 00 03 68 75 64 03 61 73 6b'))
    before.onMessage(unhex('06 01 00 00 00 00 00 91 a1 61'))
    expect(before.takeHex().map((frame) => frame.slice(0, 2))).toEqual(['08'])
    before.onClose(4001, 'unbound')
    destination.attach(after)
    expect(await call(after)).toEqual(['05 00', '06 05', '05 01', '06 06'])
    // The number was of the link before: here nobody has said what it means.
    after.onMessage(unhex('06 02 00 00 00 00 00 91 a1 61'))
    expect(after.closed?.code).toBe(4400)
  })

  test('refuses remotes and streams as arguments with a code, before anything leaves', async () => {
    const { world, server, shop } = await ends('RpcClient')
    server.expose('shop', new Shop())
    async function* stream(): AsyncGenerator<number> {
      yield 1
    }
    const plain = { [Symbol.asyncIterator]: stream }
    const { callsReceived } = server.stats()
    for (const value of [stream(), plain, { stream: stream() }, [plain], shop, { shop }]) {
      const error = await world.failure(shop.echo(value))
      expect(error).toMatchObject({ code: 'RPC_BAD_ARGUMENTS', executed: 'no' })
      expect(error.message).toMatch(/cannot be sent/)
      expect(() => notify(shop).buy(value as never)).toThrow(/cannot be sent/)
    }
    await world.clock.advance(50)
    const { callsReceived: after, notifiesReceived } = server.stats()
    expect([after - callsReceived, notifiesReceived]).toEqual([0, 0])
    expect(await world.result(shop.echo(1))).toEqual([1])
  })

  test('writes the frames of the protocol, byte for byte', async () => {
    const link = new FakeLink()
    const client = new RpcClient({ clock: new SimCluster().clock })
    const destination = client.destination('there')
    destination.attach(link)
    client.expose('hud', new Hud())
    await Promise.resolve()
    const remote = destination.service<typeof Shop>('shop')
    const answer = settle(remote.echo(1))
    notify(remote).buy('x')
    expect(link.takeHex()).toEqual([
      '05 00 04 73 68 6f 70 04 65 63 68 6f',
      '06 01 00 00 00 b8 17 00 91 01',
      '05 01 04 73 68 6f 70 03 62 75 79',
      '07 01 91 a1 78',
    ])
    link.onMessage(unhex('08 01 00 00 00 91 01'))
    expect(await answer).toEqual([undefined, [1]])
    link.onMessage(unhex('26 07 00 00 00 00 03 68 75 64 03 61 73 6b 91 a2 6f 6b'))
    link.onMessage(unhex('0b 01 02 03 04'))
    expect(link.takeHex()).toEqual(['08 07 00 00 00 a7 6f 6b 3f 20 79 65 73', '0c 01 02 03 04'])
    link.onMessage(unhex('0d 05 00 00 00 c0'))
    expect(link.closed?.code).toBe(4400)
  })

  test('keeps calls for the next link, in order, and tells those that it sent apart', async () => {
    const world = new SimCluster()
    worlds.push(world)
    const server = world.node('server')
    const shop = new Shop()
    server.expose('shop', shop)
    const client = new RpcClient({ clock: world.clock })
    const destination = client.destination('server')
    const remote = withCall(destination.service<typeof Shop>('shop'), { timeoutMs: 10_000 })
    const early = [remote.buy('1'), remote.buy('2')]
    notify(remote).buy('3')
    const gone = settle(withCall(remote, { timeoutMs: 100 }).buy('late'))
    expect((await world.result(gone))[0]).toMatchObject({ code: 'RPC_TIMEOUT', executed: 'no' })
    const first = await links(world)
    server.attach(first.server, { trust: 'player' })
    destination.attach(first.client)
    early.push(remote.buy('4'))
    await world.result(Promise.all(early))
    expect(shop.bought).toEqual(['1', '2', '3', '4'])

    const sent = settle(remote.wait())
    await world.clock.advance(20)
    world.network.cut('server', 'player')
    expect((await world.result(sent))[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    const kept = settle(remote.buy('5'))
    await client.close()
    expect((await kept)[0]).toMatchObject({ code: 'RPC_CLOSED', executed: 'no' })
    expect((await settle(remote.buy('6')))[0]).toMatchObject({ code: 'RPC_CLOSED' })
  })

  test('fails at once while there is no link, when told to', async () => {
    const client = new RpcClient({ clock: new SimCluster().clock })
    const whenAway = (): Error => new Error('nobody there')
    const remote = client.destination('there', { whenAway }).service<typeof Shop>('shop')
    await expect(remote.buy('x')).rejects.toThrow('nobody there')
    expect(notify(remote).buy('x')).toBe(false)
    expect(client.stats().droppedNotifies).toBe(1)
  })

  test('closes when its handlers have answered, or in its time', async () => {
    const { clock } = new SimCluster()
    const link = new FakeLink()
    const client = new RpcClient({ clock, closeTimeoutMs: 500 })
    client.destination('there').attach(link)
    client.expose('hud', new Hud())
    link.onMessage(unhex('26 07 00 00 00 00 03 68 75 64 04 73 6c 6f 77 90'))
    let isClosed = false
    void client.close().then(() => (isClosed = true))
    await clock.advance(400)
    expect([isClosed, link.closed?.code]).toEqual([false, 1001])
    await clock.advance(200)
    expect(isClosed).toBe(true)
  })

  test('fuzzed frames: an answer, silence or a coded close; never more than the tables open', () => {
    const random = seededRandom(77)
    const { clock } = new SimCluster()
    const frames = [
      '05 00 03 68 75 64 03 61 73 6b',
      '06 07 00 00 00 00 00 91 a2 6f 6b',
      '27 03 68 75 64 03 61 73 6b 91 a2 6f 6b',
      '08 01 00 00 00 91 01',
      '29 01 00 00 00 02 01 41 01 62 90',
      '11 01 00 00 00',
      '12 01 00 00 00 07',
      '73 01 00 00 00 01 41 01 62 90',
      '14 07 00 00 00 05',
      '0a 07 00 00 00',
    ].map(unhex)
    let fed = 0
    while (fed < 300_000) {
      const link = new FakeLink()
      const client = new RpcClient({ clock })
      const hud = new Hud()
      client.expose('hud', hud)
      hud.mine = () => expect.unreachable()
      client.destination('there').attach(link)
      for (let count = 0; count < 20 && link.closed === undefined; count += 1) {
        let bytes = random.chance(0.1) ? random(1 + random.int(40)) : random.pick(frames).slice(0)
        if (random.chance(0.6)) bytes[random.int(bytes.length)] = random.int(256)
        if (random.chance(0.1)) bytes = bytes.subarray(0, random.int(bytes.length))
        fed += bytes.length
        link.onMessage(bytes)
      }
      if (link.closed !== undefined) expect([4400, 4413]).toContain(link.closed.code)
    }
  })
})
