import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { CLOSE, settle, type Link } from '../../src/index.ts'
import { SimNetwork, type SimNetworkOptions } from '../../src/sim.ts'

class Watched {
  readonly arrivals: { readonly at: number; readonly byte: number | undefined }[] = []
  readonly closes: number[] = []
  readonly link: Link
  constructor(link: Link, clock: SteppedClock) {
    this.link = link
    link.onMessage = (message) => this.arrivals.push({ at: clock.now(), byte: message[0] })
    link.onClose = (code) => this.closes.push(code)
  }
  get bytes(): (number | undefined)[] {
    return this.arrivals.map(({ byte }) => byte)
  }
}

async function setUp(options: Partial<SimNetworkOptions> = {}, seed = 1) {
  const clock = new SteppedClock()
  const network = new SimNetwork({ clock, random: seededRandom(seed), delayMs: 10, ...options })
  let far: Watched | undefined
  await network.host('b').listen('sim://b:1', { trust: 'server' }, (link) => {
    far = new Watched(link, clock)
  })
  const dial = (): Promise<Link> => {
    const { signal } = new AbortController()
    return network.host('a').dial('sim://b:1', { trust: 'server', signal })
  }
  const dialled = dial()
  await clock.advance(1000)
  const near = new Watched(await dialled, clock)
  return { clock, network, near, far: far!, dial }
}

test('a message takes the delay, and a dial a round trip', async () => {
  const { clock, near, far, dial } = await setUp()
  const startedAt = clock.now()
  near.link.send(Uint8Array.of(1))
  await clock.advance(100)
  expect(far.arrivals).toEqual([{ at: startedAt + 10, byte: 1 }])
  const before = clock.now()
  let doneAt = 0
  void dial().then(() => (doneAt = clock.now()))
  await clock.advance(100)
  expect(doneAt - before).toBe(20)
})

test('jitter keeps the order, and the same seed gives the same times', async () => {
  const run = async (seed: number): Promise<{ at: number; byte: number | undefined }[]> => {
    const { clock, near, far } = await setUp({ jitterMs: 50 }, seed)
    for (let i = 0; i < 40; i++) {
      near.link.send(Uint8Array.of(i))
      await clock.advance(3)
    }
    await clock.advance(200)
    return far.arrivals
  }
  const first = await run(5)
  expect(first.map(({ byte }) => byte)).toEqual(Array.from({ length: 40 }, (_, i) => i))
  expect(await run(5)).toEqual(first)
  expect(await run(6)).not.toEqual(first)
})

test('bandwidth spaces messages out', async () => {
  const { clock, near, far } = await setUp({ bytesPerSecond: 1000 })
  const startedAt = clock.now()
  for (let i = 0; i < 3; i++) near.link.send(new Uint8Array(100).fill(i))
  await clock.advance(1000)
  expect(far.arrivals.map(({ at }) => at - startedAt)).toEqual([110, 210, 310])
})

test('a cut ends both sides at once and loses what was under way', async () => {
  const { clock, network, near, far } = await setUp()
  near.link.send(Uint8Array.of(1))
  network.cut('b', 'a')
  expect([near.closes, far.closes]).toEqual([[CLOSE.lost], [CLOSE.lost]])
  await clock.advance(100)
  expect(far.bytes).toEqual([])
  expect(clock.pending).toBe(0)
})

test('during a partition nothing arrives, afterwards everything does', async () => {
  const { clock, network, near, far, dial } = await setUp()
  network.partition('a', 'b', true)
  near.link.send(Uint8Array.of(1))
  far.link.send(Uint8Array.of(2))
  const waiting = dial()
  await clock.advance(5000)
  expect([near.bytes, far.bytes]).toEqual([[], []])
  network.partition('a', 'b', false)
  await clock.advance(30)
  expect([near.bytes, far.bytes]).toEqual([[2], [1]])
  expect(await waiting).toBeDefined()
})

test('a link given up during a partition is closed at the other end when it heals', async () => {
  const { clock, network, near, far } = await setUp()
  network.partition('a', 'b', true)
  near.link.close(4001, 'gave up')
  await clock.advance(1000)
  expect([near.closes, far.closes]).toEqual([[4001], []])
  network.partition('a', 'b', false)
  await clock.advance(20)
  expect(far.closes).toEqual([4001])
})

test('one way: only what the first sends is held', async () => {
  const { clock, network, near, far } = await setUp()
  network.partition('a', 'b', true, { oneWay: true })
  near.link.send(Uint8Array.of(1))
  far.link.send(Uint8Array.of(2))
  await clock.advance(100)
  expect([near.bytes, far.bytes]).toEqual([[2], []])
})

test('a stall holds messages back until the sender’s bound; a cut still arrives', async () => {
  const { clock, network, near, far } = await setUp()
  network.stall('a', 'b', true)
  near.link.maxBufferedBytes = 1000
  expect(near.link.send(new Uint8Array(900))).toBe(false)
  await clock.advance(1000)
  expect([far.bytes, near.link.bufferedBytes]).toEqual([[], 900])
  near.link.send(new Uint8Array(200))
  await clock.advance(100)
  expect([near.closes, far.closes]).toEqual([[CLOSE.slowReader], [CLOSE.lost]])
})

test('a crashed host is silent to itself, lost to the others, and can be started again', async () => {
  const { clock, network, near, far, dial } = await setUp()
  far.link.send(Uint8Array.of(1))
  const down = network.host('b')
  down.abort()
  down.abort()
  await clock.advance(100)
  expect([near.bytes, near.closes, far.closes]).toEqual([[], [CLOSE.lost], [CLOSE.lost]])
  const refused = settle(dial())
  await clock.advance(100)
  expect((await refused)[0]).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
  const { signal } = new AbortController()
  expect((await settle(down.dial('sim://a:1', { trust: 'server', signal })))[0]).toMatchObject({
    code: 'RPC_CONNECT_FAILED',
  })
  expect((await settle(down.listen('sim://b:1', { trust: 'server' }, () => {})))[0]).toMatchObject({
    code: 'RPC_LISTEN_FAILED',
  })
  const up = network.host('b')
  expect(up).not.toBe(down)
  await up.listen('sim://b:1', { trust: 'server' }, () => {})
  const again = dial()
  await clock.advance(100)
  expect(await again).toBeDefined()
})

test('a host that crashes while it is dialled, or dials, fails the dial', async () => {
  const { clock, network, dial } = await setUp()
  const toCrashing = settle(dial())
  await clock.advance(15)
  network.host('b').abort()
  await clock.advance(50)
  expect((await toCrashing)[0]).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
  await network.host('b').listen('sim://b:1', { trust: 'server' }, () => {})
  const fromCrashing = settle(dial())
  await clock.advance(5)
  network.host('a').abort()
  expect((await fromCrashing)[0]).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
})

test('a host listens only under its own name, and on a free port when asked for 0', async () => {
  const { network } = await setUp()
  const host = network.host('c')
  for (const url of ['sim://d:1', 'sim://c', 'tcp://c:1']) {
    const [error] = await settle(host.listen(url, { trust: 'server' }, () => {}))
    expect(error).toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  }
  const first = await host.listen('sim://c:0', { trust: 'server' }, () => {})
  const second = await host.listen('sim://c:0', { trust: 'server' }, () => {})
  expect(first.url).not.toBe(second.url)
})
