import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import {
  connect,
  type DatagramSocket,
  type KcpConnectOptions,
  type KcpListener,
  type KcpSession,
  listen,
  type OpenDatagramSocket,
} from '../../src/index.ts'
import { SimulatedNetwork } from '../../src/simulator.ts'

/** A client whose sockets can be made to fail one by one, as they do when their network is gone. */
class Traveller {
  readonly clock = new SteppedClock()
  readonly #network = new SimulatedNetwork({ clock: this.clock, seed: 1, path: { delayMs: 20 } })
  readonly #random = seededRandom(1)
  readonly sockets: DatagramSocket[] = []
  /** Those that neither send nor hear any more. */
  readonly deaf = new Set<DatagramSocket>()
  readonly closed = new Set<DatagramSocket>()
  readonly log: unknown[] = []
  /** What every opening but the first waits for. */
  opening = (): Promise<void> => Promise.resolve()
  listener!: KcpListener
  session!: KcpSession
  far!: KcpSession

  async begin(options: Partial<KcpConnectOptions> = {}): Promise<void> {
    const { clock } = this
    const server = { host: 'server', port: 7, clock, random: this.#random }
    const openSocket = this.#network.host('server')
    this.listener = await listen({ ...server, openSocket }, (session) => (this.far = session))
    const logger = {
      debug: (message: string) => void this.log.push(message),
      warn: () => {},
    }
    const attempt = connect({ ...server, logger, openSocket: this.#open, ...options })
    void attempt.then((session) => (this.session = session))
    // The listener has confirmed the session as well.
    await clock.advance(1000)
  }

  get open(): DatagramSocket[] {
    return this.sockets.filter((socket) => !this.closed.has(socket))
  }

  readonly #open: OpenDatagramSocket = async (options) => {
    const isFirst = this.sockets.length === 0
    if (!isFirst) await this.opening()
    const socket = await this.#network.host('client')(options)
    const outer: DatagramSocket = {
      address: socket.address,
      port: socket.port,
      onDatagram: () => {},
      onError: () => {},
      send: (...datagram) => this.deaf.has(outer) || socket.send(...datagram),
      close: () => {
        this.closed.add(outer)
        return socket.close()
      },
    }
    socket.onDatagram = (...datagram) => this.deaf.has(outer) || outer.onDatagram(...datagram)
    this.sockets.push(outer)
    return outer
  }
}

const failed = (code: string): Error => Object.assign(new Error(code), { code })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

test('a session lives on over another socket when its own is deaf for good, with each message once', async () => {
  const world = new Traveller()
  await world.begin()
  const [near, far]: number[][] = [[], []]
  world.session.on('message', ([byte]) => near!.push(byte!))
  world.far.on('message', ([byte]) => far!.push(byte!))
  const tick = async (index: number): Promise<void> => {
    if (index === 20) world.deaf.add(world.sockets[0]!)
    world.session.send(Uint8Array.of(index))
    world.far.send(Uint8Array.of(index))
    await world.clock.advance(50)
  }
  for (const index of upTo(200)) await tick(index)
  await world.clock.advance(1000)
  expect([near, far]).toEqual([upTo(200), upTo(200)])
  expect(world.sockets).toHaveLength(2)
  expect(world.open).toEqual([world.sockets[1]])
  expect(world.listener.counters().migrations).toBe(1)
  expect([world.session.isOpen, world.far.remotePort]).toEqual([true, world.sockets[1]!.port])
})

test('a silent session is found again as well, and once it is closed no socket is left', async () => {
  const world = new Traveller()
  await world.begin({ keepaliveMs: 4000 })
  world.deaf.add(world.sockets[0]!)
  await world.clock.advance(8000)
  expect(world.far.remotePort).toBe(world.sockets[1]!.port)
  void world.session.close()
  await world.clock.advance(3000)
  expect(world.far.closeInfo).toMatchObject({ code: 1000, by: 'peer' })
  expect(world.open).toEqual([])
})

test('one that was silent for long and then says something is found again within seconds', async () => {
  const world = new Traveller()
  await world.begin()
  await world.clock.advance(5000)
  world.deaf.add(world.sockets[0]!)
  const got: number[] = []
  world.far.on('message', ([byte]) => got.push(byte!))
  world.session.send(Uint8Array.of(7))
  await world.clock.advance(4500)
  expect([got, world.sockets.length]).toEqual([[7], 2])
})

test.each(['EADDRNOTAVAIL', 'EHOSTUNREACH', 'EINVAL', 'ENETUNREACH'])(
  'a socket of which the system says %s is replaced at once',
  async (code) => {
    const world = new Traveller()
    await world.begin()
    world.deaf.add(world.sockets[0]!)
    world.sockets[0]!.onError(failed(code))
    await world.clock.advance(100)
    expect(world.listener.counters().migrations).toBe(1)
    expect(world.open).toEqual([world.sockets[1]])
  },
)

test('other errors replace no socket, and none is replaced more often than every 2 s', async () => {
  const world = new Traveller()
  await world.begin()
  world.sockets[0]!.onError(failed('ENOBUFS'))
  await world.clock.advance(100)
  expect(world.sockets).toHaveLength(1)
  for (let turn = 0; turn < 59; turn += 1) {
    for (const socket of world.open) socket.onError(failed('ENETUNREACH'))
    await world.clock.advance(100)
  }
  expect(world.sockets).toHaveLength(1 + 3)
  expect(world.open).toHaveLength(1)
})

test('one opening is under way at a time; one that fails is told at debug level and tried again', async () => {
  const world = new Traveller()
  await world.begin({ keepaliveMs: 4000 })
  world.deaf.add(world.sockets[0]!)
  let fail: (error: Error) => void = () => {}
  let openings = 0
  world.opening = () => {
    openings += 1
    return new Promise((_, reject) => (fail = reject))
  }
  await world.clock.advance(9000)
  expect(openings).toBe(1)
  world.opening = () => Promise.resolve()
  fail(failed('ENETUNREACH'))
  await world.clock.advance(3000)
  expect(world.log).toContain('no other socket could be opened')
  expect([world.session.isOpen, world.far.remotePort]).toEqual([true, world.sockets[1]!.port])
})

test('a socket that opens after the session has ended is closed', async () => {
  const world = new Traveller()
  await world.begin()
  let open: () => void = () => {}
  world.opening = () => new Promise((resolve) => (open = resolve))
  world.sockets[0]!.onError(failed('ENETUNREACH'))
  await world.clock.advance(100)
  world.session.destroy()
  await world.clock.advance(2000)
  expect(world.sockets).toHaveLength(1)
  open()
  await world.clock.advance(100)
  expect(world.sockets).toHaveLength(2)
  expect(world.open).toEqual([])
})

test('a network without a way there, whose router says that nobody listens, does not end the session', async () => {
  const world = new Traveller()
  await world.begin()
  world.deaf.add(world.sockets[0]!)
  world.sockets[0]!.onError(failed('ENETUNREACH'))
  await world.clock.settle()
  const [, second] = world.sockets
  world.deaf.add(second!)
  world.session.send(Uint8Array.of(1))
  for (let turn = 0; turn < 60 && world.sockets.length === 2; turn += 1) {
    second!.onError(failed('ECONNREFUSED'))
    await world.clock.advance(100)
  }
  await world.clock.advance(1000)
  expect(world.session.isOpen).toBe(true)
  expect(world.far.remotePort).toBe(world.sockets[2]!.port)
})
