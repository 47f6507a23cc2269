import { eventually, freePort, seededRandom } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import {
  CLOSE,
  notify,
  RpcNode,
  settle,
  systemClock,
  systemRandom,
  type Link,
  type LinkOptions,
  type Listener,
  type RpcTable,
  type Transport,
} from '../../src/index.ts'
import { kcp } from '../../src/kcp.ts'
import { memoryNetwork } from '../../src/memory.ts'
import { SimNetwork } from '../../src/sim.ts'
import { tcp } from '../../src/tcp.ts'
import { Authority } from '../certificates.ts'
import { websocket } from '../../src/websocket.ts'
import { ws } from '../../src/ws.ts'

const authority = new Authority()

interface Ends {
  readonly dialer: Transport & { abort?(): void }
  readonly listener: Transport & { abort?(): void }
  readonly url: string
  readonly deadUrl: string
}

const transports: Record<string, () => Promise<Ends>> = {
  memory: async () => {
    const network = memoryNetwork()
    const [dialer, listener] = [network.transport(), network.transport()]
    return { dialer, listener, url: 'memory://there', deadUrl: 'memory://nowhere' }
  },
  sim: async () => {
    const network = new SimNetwork({ clock: systemClock, random: systemRandom, jitterMs: 2 })
    const [dialer, listener] = [network.host('here'), network.host('there')]
    return { dialer, listener, url: 'sim://there:0', deadUrl: 'sim://there:9' }
  },
  tls: async () => {
    const { cert, key } = authority.issue('server', ['127.0.0.1', 'localhost'])
    return {
      dialer: tcp({ tls: { ca: authority.cert } }),
      listener: tcp({ tls: { cert, key } }),
      url: 'tls://127.0.0.1:0',
      deadUrl: `tls://127.0.0.1:${await freePort()}`,
    }
  },
  tcp: async () => ({
    dialer: tcp(),
    listener: tcp(),
    url: 'tcp://127.0.0.1:0',
    deadUrl: `tcp://127.0.0.1:${await freePort()}`,
  }),
  kcp: async () => ({
    dialer: kcp(),
    listener: kcp(),
    url: 'kcp://127.0.0.1:0',
    deadUrl: `kcp://127.0.0.1:${await freePort()}`,
  }),
  ws: async () => ({
    dialer: ws(),
    listener: ws(),
    url: 'ws://127.0.0.1:0/play',
    deadUrl: `ws://127.0.0.1:${await freePort()}/play`,
  }),
  websocket: async () => ({
    dialer: websocket(),
    listener: ws(),
    url: 'ws://127.0.0.1:0/play',
    deadUrl: `ws://127.0.0.1:${await freePort()}/play`,
  }),
}

/** One end of a link with all that happened to it. */
class End {
  readonly link: Link
  readonly messages: Uint8Array[] = []
  readonly closes: { code: number; reason: string }[] = []
  drains = 0
  constructor(link: Link) {
    this.link = link
    link.onMessage = (message) => this.messages.push(message.slice())
    link.onDrain = () => (this.drains += 1)
    link.onClose = (code, reason) => this.closes.push({ code, reason })
  }
}

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

async function open(
  make: () => Promise<Ends>,
  here: Partial<LinkOptions> = {},
  there: Partial<LinkOptions> = here,
): Promise<Ends & { near: End; far: End; listening: Listener }> {
  const ends = await make()
  cleanUps.push(
    () => ends.dialer.abort?.(),
    () => ends.listener.abort?.(),
  )
  let far: End | undefined
  const listening = await ends.listener.listen(ends.url, { trust: 'server', ...there }, (link) => {
    far = new End(link)
  })
  const { signal } = new AbortController()
  const near = new End(await ends.dialer.dial(listening.url, { trust: 'server', ...here, signal }))
  await eventually(() => far !== undefined)
  return { ...ends, url: listening.url, near, far: far!, listening }
}

describe.each(Object.entries(transports))('%s', (name, make) => {
  test('carries messages of any size both ways, whole and in order', async () => {
    const { near, far } = await open(make)
    const random = seededRandom(5)
    const messages = [0, 1, 100, 4096, 65_531, 65_532, 65_533, 200_000, 3, 1_000_000].map((size) =>
      random(size),
    )
    for (const message of messages) {
      near.link.send(message)
      far.link.send(message)
    }
    await eventually(() => near.messages.length + far.messages.length === 2 * messages.length)
    for (const end of [near, far]) {
      expect(end.messages.every((got, i) => Buffer.compare(got, messages[i]!) === 0)).toBe(true)
    }
  })

  test('carries thousands of messages sent in one turn', async () => {
    const { near, far } = await open(make)
    for (let i = 0; i < 5000; i++) near.link.send(Uint8Array.of(i, i >> 8))
    await eventually(() => far.messages.length === 5000)
    expect(far.messages.every((got, i) => got[0]! + got[1]! * 256 === i)).toBe(true)
  })

  test('copies a message before send returns', async () => {
    const { near, far } = await open(make)
    const message = Uint8Array.of(1, 2, 3)
    near.link.send(message)
    message.fill(0)
    await eventually(() => far.messages.length === 1)
    expect([...far.messages[0]!]).toEqual([1, 2, 3])
  })

  test('a close arrives after what was sent, with its code and reason, once at each end', async () => {
    const { near, far } = await open(make)
    near.link.send(Uint8Array.of(1))
    near.link.close(4123, 'enough')
    near.link.close(4999, 'twice')
    expect(near.closes).toEqual([])
    expect(near.link.send(Uint8Array.of(2))).toBe(false)
    await eventually(() => near.closes.length + far.closes.length === 2)
    expect(far.messages).toHaveLength(1)
    for (const end of [near, far]) expect(end.closes).toEqual([{ code: 4123, reason: 'enough' }])
    far.link.close()
    expect(far.link.send(Uint8Array.of(3))).toBe(false)
  })

  test('a message above the limit closes the link with a code, and is not delivered', async () => {
    const { near, far } = await open(make, {}, { maxMessageBytes: 1000 })
    near.link.send(new Uint8Array(1000))
    near.link.send(new Uint8Array(1001))
    near.link.send(new Uint8Array(1))
    await eventually(() => near.closes.length + far.closes.length === 2)
    expect(far.messages).toHaveLength(1)
    expect([near.closes[0]?.code, far.closes[0]?.code]).toEqual([CLOSE.tooLarge, CLOSE.tooLarge])
  })

  test('the limit can be changed while the link is open', async () => {
    const { near, far } = await open(make, {}, { maxMessageBytes: 10 })
    far.link.maxMessageBytes = 1000
    near.link.send(new Uint8Array(500))
    await eventually(() => far.messages.length === 1)
  })

  test('players’ listeners take 16 KiB, servers’ 16 MiB', async () => {
    const player = await open(make, {}, { trust: 'player' })
    const server = await open(make, {}, { trust: 'server' })
    expect([player.far.link.maxMessageBytes, server.far.link.maxMessageBytes]).toEqual([
      16 * 1024,
      16 * 1024 * 1024,
    ])
  })

  test('send says false above a mark, onDrain follows, and nothing is lost', async () => {
    const { near, far } = await open(make)
    let sent = 0
    while (near.link.send(new Uint8Array(50_000))) sent += 1
    sent += 1
    expect(near.link.bufferedBytes).toBeGreaterThan(0)
    await eventually(() => near.drains === 1 && far.messages.length === sent)
    await eventually(() => near.link.bufferedBytes === 0)
    expect(near.link.send(new Uint8Array(10))).toBe(true)
  })

  test('a sender that ignores false reaches the bound and its link closes with a code', async () => {
    const { near, far } = await open(make, { maxBufferedBytes: 100_000 })
    for (let i = 0; i < 12; i++) near.link.send(new Uint8Array(10_000))
    await eventually(() => near.closes.length + far.closes.length === 2)
    expect(near.closes[0]?.code).toBe(CLOSE.slowReader)
    expect(far.closes[0]?.code).toBe(CLOSE.lost)
  })

  test('nobody there: RPC_CONNECT_FAILED', async () => {
    const { dialer, deadUrl } = await open(make)
    const { signal } = new AbortController()
    const [error] = await settle(dialer.dial(deadUrl, { trust: 'server', signal }))
    expect(error).toMatchObject({ code: 'RPC_CONNECT_FAILED', executed: 'no' })
  })

  test('an address in use: RPC_LISTEN_FAILED', async () => {
    const { listener, url } = await open(make)
    const [error] = await settle(listener.listen(url, { trust: 'server' }, () => {}))
    expect(error).toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  })

  test('a dial ends with the reason of its signal', async () => {
    const { dialer, url } = await open(make)
    const early = AbortSignal.abort(new Error('early'))
    expect((await settle(dialer.dial(url, { trust: 'server', signal: early })))[0]).toBe(
      early.reason,
    )
    const controller = new AbortController()
    const dial = settle(dialer.dial(url, { trust: 'server', signal: controller.signal }))
    const reason = new Error('never mind')
    controller.abort(reason)
    expect((await dial)[0]).toBe(reason)
  })

  test('a closed listener takes nobody new and leaves its links open', async () => {
    const { dialer, listening, near, far } = await open(make)
    await Promise.all([listening.close(), listening.close()])
    const { signal } = new AbortController()
    const [error] = await settle(dialer.dial(listening.url, { trust: 'server', signal }))
    expect(error).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
    near.link.send(Uint8Array.of(1))
    await eventually(() => far.messages.length === 1)
  })

  test('abort resets links and listeners at once, with no close frame', async () => {
    const { dialer, listener, near, far, url } = await open(make)
    far.link.send(new Uint8Array(100))
    listener.abort?.()
    await eventually(() => near.closes.length === 1 && far.closes.length === 1)
    expect([near.closes[0]?.code, far.closes[0]?.code]).toEqual([CLOSE.lost, CLOSE.lost])
    const { signal } = new AbortController()
    const [error] = await settle(dialer.dial(url, { trust: 'server', signal }))
    expect(error).toMatchObject({ code: 'RPC_CONNECT_FAILED' })
  })

  test('the accepting end names the other by an address of its scheme', async () => {
    const { near, far, url } = await open(make)
    expect(near.link.remote).toBe(url)
    expect(far.link.remote).toMatch(new RegExp(`^${name === 'websocket' ? 'ws' : name}://`))
  })

  test('calls go both ways over it, also with no server to trust', async () => {
    const { dialer, listener } = await make()
    class Service {
      static readonly rpc = { twice: 'player', note: 'player' } as const satisfies RpcTable<Service>
      readonly notes: string[] = []
      twice(value: string): string {
        return value + value
      }
      note(text: string): void {
        this.notes.push(text)
      }
    }
    const service = new Service()
    await using server = new RpcNode({ id: 'server', transports: [listener] })
    await using client = new RpcNode({ id: 'client', transports: [dialer] })
    server.expose('service', service)
    client.expose('service', new Service())
    let back: Promise<string> | undefined
    server.onPeer((peer) => {
      back = peer.service<typeof Service, 'player'>('service').twice('server')
    })
    const { url } = await server.listen((await make()).url)
    const peer = await client.connect(url)
    const remote = peer.service<typeof Service, 'player'>('service')
    expect([peer.nodeId, peer.caller]).toEqual(['server', 'player'])
    expect(await remote.twice('x'.repeat(3000))).toHaveLength(6000)
    notify(remote).note('hi')
    expect(await Promise.all(Array.from({ length: 300 }, (_, i) => remote.twice(`${i}`)))).toEqual(
      Array.from({ length: 300 }, (_, i) => `${i}${i}`),
    )
    expect(service.notes).toEqual(['hi'])
    expect(await back).toBe('serverserver')
  })
})
