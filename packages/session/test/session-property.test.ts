import { seededRandom, type SeededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import {
  closeName,
  type ClientSession,
  type Lane,
  type ServerSession,
  type SessionServer,
} from '../src/index.ts'
import type { Wire } from './support/wire.ts'
import { World, type WorldOptions } from './support/world.ts'

const KEYS = 4
const RESET = 'reset'

/** The way from one end to the other, as a test saw it. */
class Way {
  /** Numbers of the reliable frames that were taken, in order. */
  readonly sent: number[] = []
  /** What arrived: numbers, and where the receiver was told of a clean start. */
  readonly arrived: (number | typeof RESET)[] = []
  readonly newest = new Map<number, number>()
  readonly latest = new Map<number, number>()
  /** Frames the sender was told may not have arrived. */
  lost = 0
  #next = 0

  /** @returns The payload: lane number and key are in it, so that the receiver can check. */
  make(lane: Lane, key: number, size: number): Uint8Array {
    const number = (this.#next += 1)
    const payload = new Uint8Array(8 + size)
    const view = new DataView(payload.buffer)
    view.setUint32(0, number)
    view.setUint32(4, key)
    if (lane === 'reliable') this.sent.push(number)
    else this.newest.set(key, number)
    return payload
  }

  take(payload: Uint8Array, lane: Lane): void {
    const view = new DataView(payload.buffer, payload.byteOffset)
    const number = view.getUint32(0)
    if (lane === 'reliable') {
      this.arrived.push(number)
      return
    }
    const key = view.getUint32(4)
    expect(number, 'a state frame older than one before').toBeGreaterThanOrEqual(
      this.latest.get(key) ?? 0,
    )
    this.latest.set(key, number)
  }

  reset(): void {
    this.arrived.push(RESET)
    this.newest.clear()
    this.latest.clear()
  }

  get numbers(): number[] {
    return this.arrived.filter((item) => item !== RESET)
  }
}

/** A player who dials again whenever the link is lost, under faults drawn from a seed. */
class Scenario {
  readonly world: World
  readonly random: SeededRandom
  readonly up = new Way()
  readonly down = new Way()
  readonly codes: number[] = []
  readonly servers: SessionServer[]
  client: ClientSession
  session: ServerSession | undefined
  wires: Wire[] = []
  recovered = 0
  resets = 0
  isHealed = false

  constructor(seed: number, options: WorldOptions, servers = 1) {
    this.random = seededRandom(seed)
    this.world = new World({ seed, heartbeatMs: 500, ...options })
    this.servers = [this.world.server]
    for (let i = 1; i < servers; i++) this.servers.push(this.#otherServer(options))
    for (const server of this.servers) server.on('session', (session) => this.#serve(session))
    this.client = this.world.client('ada', options.limits ? { limits: options.limits } : {})
    this.#play(this.client)
    this.dial()
  }

  #otherServer(options: WorldOptions): SessionServer {
    return this.world.newServer({ heartbeatMs: 500, ...options })
  }

  #serve(session: ServerSession): void {
    this.session = session
    session.setRoute('game', 'bound')
    session.on('message', ({ payload, lane }) => this.up.take(payload, lane))
    session.on('resumed', ({ recovered, lost }) => {
      if (recovered) return
      this.down.lost += lost
      this.up.reset()
      session.setRoute('game', 'bound')
    })
    session.on('closed', ({ code, lost }) => {
      this.codes.push(code)
      this.down.lost += lost
    })
    session.on('lost', ({ code }) => this.codes.push(code))
    if (session.origin === 'adopted') this.up.reset()
  }

  #play(client: ClientSession): void {
    client.on('message', ({ payload, lane }) => this.down.take(payload, lane))
    client.on('resumed', ({ recovered, lost }) => {
      if (recovered) {
        this.recovered += 1
        return
      }
      this.resets += 1
      this.up.lost += lost
      this.down.reset()
    })
    client.on('lost', ({ code }) => {
      this.codes.push(code)
      this.world.clock.setTimer(this.isHealed ? 10 : 10 + this.random.int(400), () => {
        if (client.state === 'waiting') this.dial()
      })
    })
    client.on('closed', ({ code, lost }) => {
      this.codes.push(code)
      this.up.lost += lost
    })
  }

  dial(): void {
    const { random } = this
    const delayMs = random.int(60)
    const server = random.pick(this.servers)
    const wire = this.world.attach(
      this.client,
      { delayMs, jitterMs: random.int(40), highWaterBytes: 400 + random.int(4000) },
      server,
    )
    this.wires = [...this.wires.slice(-3), wire]
    // Without a welcome there is no session yet that could go on.
    if (this.isHealed || this.client.id === undefined || random.chance(0.6)) return
    // Many links do not even live through their handshake.
    this.world.clock.setTimer(random.int(250), () => this.fault(wire))
  }

  fault(wire = this.wires.at(-1)): void {
    if (this.isHealed || wire === undefined) return
    switch (this.random.int(8)) {
      case 0:
        wire.swallow('up')
        break
      case 1:
        wire.swallow('down')
        break
      case 2:
        wire.swallow('both')
        break
      case 3:
        // Moved to another network: the old link was not missed by anyone.
        if (this.client.state !== 'closed') this.dial()
        break
      case 4:
        this.stall(wire.up)
        break
      case 5:
        this.stall(wire.down)
        break
      default:
        wire.cut()
    }
  }

  /** What is held back comes all at once, or dies with the link. */
  stall(lane: Wire['up']): void {
    lane.stall(true)
    this.world.clock.setTimer(this.random.int(700), () => lane.stall(false))
  }

  send(): void {
    const { random, client, session } = this
    const lane = random.chance(0.5) ? 'state' : 'reliable'
    const key = random.int(KEYS)
    const size = random.chance(0.1) ? random.int(300) : random.int(20)
    if (random.chance(0.4)) {
      if (client.route('game').state === 'bound' && client.state !== 'closed')
        client.send('game', this.up.make(lane, key, size), lane, key)
    } else if (session !== undefined && session.state !== 'closed') {
      if (session.routes.get('game')?.state === 'bound')
        session.send('game', this.down.make(lane, key, size), lane, key)
    }
  }

  async run(ms: number): Promise<void> {
    const { clock } = this.world
    await clock.runUntil(() => this.client.state === 'open')
    const end = clock.now() + ms
    const traffic = (): void => {
      if (clock.now() >= end) return
      for (let burst = this.random.int(4); burst >= 0; burst--) this.send()
      clock.setTimer(1 + this.random.int(80), traffic)
    }
    const faults = (): void => {
      if (clock.now() >= end) return
      this.fault()
      clock.setTimer(100 + this.random.int(1500), faults)
    }
    traffic()
    faults()
    await clock.advance(ms)
    this.isHealed = true
    for (const wire of this.wires) wire.cut()
    if (this.client.state !== 'closed' && this.client.state !== 'opening') this.dial()
    await clock.advance(6000)
  }
}

const generous = {
  limits: {
    maxUnackedBytes: 1_000_000,
    maxUnackedFrames: 20_000,
    messageBurst: 40,
    messagesPerSecond: 80,
  },
} as const

describe('with room for everything', () => {
  const SEEDS = Array.from({ length: 50 }, (_, i) => 1000 + i)

  test.each(SEEDS)('seed %i: no reliable frame is lost, doubled or reordered', async (seed) => {
    const scenario = new Scenario(seed, generous)
    await scenario.run(8000)
    const { up, down, client, session } = scenario
    expect([client.state, scenario.codes.map(closeName)]).toEqual(['open', expect.anything()])
    expect(scenario.resets).toBe(0)
    expect(up.arrived).toEqual(up.sent)
    expect(down.arrived).toEqual(down.sent)
    expect(up.latest).toEqual(up.newest)
    expect(down.latest).toEqual(down.newest)
    expect([client.stats().unackedFrames, session?.stats().unackedFrames]).toEqual([0, 0])
    expect([client.stats().duplicates, session?.stats().duplicates]).toEqual([0, 0])
    expect(scenario.codes.filter((code) => closeName(code) === 'transport')).toEqual(
      scenario.codes.filter((code) => code === 1006),
    )
    expect(scenario.world.errors).toEqual([])
  })

  test('the seeds did go through cuts, half-open links and switched networks', async () => {
    let recovered = 0
    const names = new Set<string>()
    for (const seed of SEEDS.slice(0, 10)) {
      const scenario = new Scenario(seed, generous)
      await scenario.run(8000)
      recovered += scenario.recovered
      for (const code of scenario.codes) names.add(closeName(code))
    }
    expect(recovered).toBeGreaterThan(50)
    expect([...names]).toEqual(expect.arrayContaining(['transport', 'heartbeatTimeout']))
  })
})

test.each(Array.from({ length: 20 }, (_, i) => 4000 + i))(
  'seed %i: with routes bound anew, what does not arrive is what was sent under an older epoch',
  async (seed) => {
    const scenario = new Scenario(seed, generous)
    const { clock } = scenario.world
    const rebind = (): void => {
      if (scenario.isHealed) return
      scenario.session?.setRoute('game', 'bound')
      clock.setTimer(50 + scenario.random.int(1000), rebind)
    }
    clock.setTimer(500, rebind)
    await scenario.run(8000)
    const { up, down, client, session } = scenario
    expect(client.state).toBe('open')
    expect(down.arrived).toEqual(down.sent)
    expect(up.numbers).toEqual([...new Set(up.numbers)].sort((a, b) => a - b))
    expect(up.numbers.length).toBeLessThan(up.sent.length)
    expect(session?.stats().staleRoute).toBeGreaterThanOrEqual(up.sent.length - up.numbers.length)
    expect(client.stats()).toMatchObject({ unackedFrames: 0, lost: 0 })
    expect(scenario.world.errors).toEqual([])
  },
)

describe('with bounds that are reached', () => {
  const tight: WorldOptions = {
    resumeWindowMs: 60_000,
    limits: {
      maxUnackedBytes: 1500,
      maxUnackedFrames: 25,
      maxStateBytes: 1024,
      maxUnackedAgeMs: 3000,
    },
  }
  /** Any process takes over a session; the one that had it lets go. */
  function takeOver(scenario: () => Scenario): NonNullable<WorldOptions['adopt']> {
    return (record) => {
      for (const server of scenario().servers)
        server.sessions.get(record.sessionId)?.close(4004, 'moved')
      return { account: record.account }
    }
  }

  function check({ up, down, client, world }: Scenario): void {
    for (const way of [up, down]) {
      const isSent = new Set(way.sent)
      let last = 0
      let mayGap = false
      for (const item of way.arrived) {
        if (item === RESET) {
          mayGap = true
          continue
        }
        expect(isSent.has(item)).toBe(true)
        expect(item).toBeGreaterThan(last)
        const missed = way.sent.filter((number) => number > last && number < item)
        if (!mayGap) expect(missed).toEqual([])
        last = item
        mayGap = false
      }
      // What did not arrive was told; what was told lost may have arrived.
      expect(way.sent.length - way.numbers.length).toBeLessThanOrEqual(way.lost)
    }
    expect(client.state).toBe('open')
    expect(client.stats().unackedFrames).toBe(0)
    // Nothing hangs about that could grow.
    expect(world.clock.pending).toBeLessThan(60)
  }

  test.each(Array.from({ length: 30 }, (_, i) => 2000 + i))(
    'seed %i: a gap only where both ends are told of a clean start',
    async (seed) => {
      const scenario = new Scenario(seed, tight)
      await scenario.run(8000)
      check(scenario)
      expect(scenario.world.errors).toEqual([])
    },
  )

  test.each(Array.from({ length: 30 }, (_, i) => 3000 + i))(
    'seed %i: the same when other processes take the session over',
    async (seed) => {
      const scenario: Scenario = new Scenario(
        seed,
        { ...tight, adopt: takeOver(() => scenario) },
        3,
      )
      await scenario.run(8000)
      check(scenario)
      expect(scenario.servers.reduce((sum, server) => sum + server.sessions.size, 0)).toBe(1)
      expect(scenario.world.errors).toEqual([])
    },
  )
})

test('the same seed gives the same history twice', async () => {
  const history = async (): Promise<unknown> => {
    const scenario = new Scenario(77, generous)
    await scenario.run(8000)
    const { up, down, codes, client } = scenario
    return { up: up.arrived, down: down.arrived, codes, stats: client.stats() }
  }
  expect(await history()).toEqual(await history())
})
