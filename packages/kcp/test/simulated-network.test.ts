import { SteppedClock, seededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import {
  connect,
  type KcpListener,
  type KcpSession,
  type KcpSocketOptions,
  listen,
  openUdpSocket,
} from '../src/index.ts'
import { impaired, type PathOptions, SimulatedNetwork } from '../src/simulator.ts'

/** A server, a client and the network between them, on one stepped clock. */
class World {
  readonly clock = new SteppedClock()
  readonly network: SimulatedNetwork
  readonly sessions: KcpSession[] = []
  readonly #random = seededRandom(1)

  constructor(path: PathOptions, seed = 1) {
    this.network = new SimulatedNetwork({ clock: this.clock, seed, path })
  }

  async wait<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    promise.finally(() => (isSettled = true)).catch(() => {})
    await this.clock.runUntil(() => isSettled)
    return promise
  }

  listen(): Promise<KcpListener> {
    const host = 'server'
    return listen({ host, port: 7, ...this.#on(host) }, (session) => {
      this.sessions.push(session)
      session.on('message', (bytes) => session.send(bytes))
    })
  }

  connect(host = 'client'): Promise<KcpSession> {
    return this.wait(connect({ host: 'server', port: 7, ...this.#on(host) }))
  }

  #on(host: string): Required<Pick<KcpSocketOptions, 'clock' | 'random' | 'openSocket'>> {
    return { clock: this.clock, random: this.#random.fork(), openSocket: this.network.host(host) }
  }
}

/** Sends numbered messages and gives the numbers that came back, with the time each took. */
async function echo(world: World, session: KcpSession, count: number): Promise<string[]> {
  const log: string[] = []
  session.on('message', (bytes) => log.push(`${world.clock.now().toFixed(1)} ${bytes[0]}`))
  for (let index = 0; index < count; index += 1) {
    session.send(Uint8Array.of(index))
    await world.clock.advance(20)
  }
  await world.clock.advance(2000)
  return log
}
const numbers = (log: readonly string[]): number[] => log.map((line) => Number(line.split(' ')[1]))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

const BAD: PathOptions = {
  delayMs: 10,
  jitter: { kind: 'uniform', ms: 20 },
  loss: 0.2,
  duplicate: 0.1,
  corrupt: 0.05,
}

describe('a simulated network', () => {
  test('carries sessions over bad paths, the same way for the same seed', async () => {
    const tell = async (seed: number): Promise<string[]> => {
      const world = new World(BAD, seed)
      await world.listen()
      return echo(world, await world.connect(), 50)
    }
    const [first, again, other] = [await tell(1), await tell(1), await tell(2)]
    expect(numbers(first)).toEqual(upTo(50))
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
    expect(numbers(other)).toEqual(upTo(50))
  })

  test('a NAT that gives the client a new address is followed', async () => {
    const world = new World({ delayMs: 10 })
    const listener = await world.listen()
    const session = await world.connect()
    world.clock.setTimer(300, () => world.network.rebind('client'))
    world.clock.setTimer(600, () => world.network.rebind('client', 'elsewhere'))
    expect(numbers(await echo(world, session, 50))).toEqual(upTo(50))
    expect(listener.counters().migrations).toBe(2)
    expect(world.sessions[0]!.remoteAddress).toBe('elsewhere')
  })

  test('two hosts that are cut off from each other hear each other again afterwards', async () => {
    const world = new World({ delayMs: 10 })
    await world.listen()
    const session = await world.connect()
    world.clock.setTimer(300, () => world.network.cut('client', 'server', true))
    world.clock.setTimer(4300, () => world.network.cut('client', 'server', false))
    const log = await echo(world, session, 300)
    expect(numbers(log)).toEqual(upTo(300).map((index) => index & 0xff))
  })

  test('a port that is taken is refused, and free again after a close', async () => {
    const world = new World({})
    const listener = await world.listen()
    await expect(world.listen()).rejects.toMatchObject({ code: 'KCP_LISTEN_FAILED' })
    await world.wait(listener.close())
    await world.listen()
  })

  test.each([0, 0.1])(
    'a client learns within a second that its server died, with loss %f',
    async (loss) => {
      const world = new World({ delayMs: 20, loss })
      await world.listen()
      const session = await world.connect()
      await world.clock.advance(5000)
      world.network.crash('server')
      session.send(Uint8Array.of(1))
      const began = world.clock.now()
      await world.clock.runUntil(() => !session.isOpen, { limitMs: 3000 })
      expect(world.clock.now() - began).toBeLessThan(1000)
      expect(session.closeInfo).toMatchObject({ code: 1006, by: 'network' })
      expect(session.closeInfo?.error?.code).toBe('KCP_RESET')
    },
  )

  test('who makes the system say that nobody listens ends no session that lives', async () => {
    const world = new World({ delayMs: 20, loss: 0.1 })
    await world.listen()
    const tell: ((error: Error) => void)[] = []
    const openSocket = async (...args: Parameters<ReturnType<SimulatedNetwork['host']>>) => {
      const socket = await world.network.host('client')(...args)
      tell.push((error) => socket.onError(error))
      return socket
    }
    const session = await world.wait(
      connect({
        ...{ host: 'server', port: 7, clock: world.clock, random: seededRandom(2), openSocket },
      }),
    )
    const refused = Object.assign(new Error('forged'), { code: 'ECONNREFUSED' })
    for (let turn = 0; turn < 300; turn += 1) {
      tell[0]!(refused)
      await world.clock.advance(100)
    }
    expect(session.isOpen).toBe(true)
  })
})

test('sockets of the system on a bad line lose, double and spoil what they are told to, both ways', async () => {
  await using listener = await listen({ host: '127.0.0.1', port: 0 }, (session) =>
    session.on('message', (bytes) => session.send(bytes)),
  )
  const openSocket = impaired(openUdpSocket, {
    seed: 1,
    out: { delayMs: 2, loss: 0.2, duplicate: 0.2, corrupt: 0.1 },
    in: { loss: 0.1 },
  })
  await using session = await connect({ host: 'localhost', port: listener.port, openSocket })
  expect(session.remoteAddress, "as of the system's own").toBe('127.0.0.1')
  for (let index = 0; index < 200; index += 1) session.send(new Uint8Array(1000).fill(index))
  const got: number[] = []
  for await (const bytes of session) if (got.push(bytes[0]!) === 200) break
  expect(got).toEqual(upTo(200))
  expect(listener.counters().dropped.notAuthentic).toBeGreaterThan(0)
  expect(listener.counters().dropped.replayed).toBeGreaterThan(0)
})
