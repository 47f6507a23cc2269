import { describe, expect, it } from 'vitest'
import type { MemoryBackend, Registration, Registry } from '../src/index.ts'
import { game, World } from './world.ts'

type Kind = 'grantLease' | 'keepAlive' | 'transact' | 'range' | 'entryAt'

/** A fleet of processes whose requests are counted by the second. */
class Fleet {
  readonly world: World
  readonly links: MemoryBackend[] = []
  readonly registrations: Registration[] = []
  readonly returns: number[] = []
  /** How often a watcher saw a node leave. */
  flaps = 0
  readonly #registries: Registry[] = []
  readonly #seconds = new Map<string, number>()
  #from = 0

  constructor(seed = 1) {
    this.world = new World(seed)
  }

  /** @param watching - how many see the fleet in a directory; the others are told its size */
  static async of(size: number, watching: number, seed = 1): Promise<Fleet> {
    const fleet = new Fleet(seed)
    const { world } = fleet
    for (let i = 0; i < size; i++) {
      const options = { ttlSeconds: 10, ...(i < watching ? {} : { fleetSize: size }) }
      const { registry, link } = world.node(options)
      fleet.links.push(link)
      fleet.#registries.push(registry)
      fleet.#count(link)
      if (i < watching) registry.watch('game').on('leave', () => fleet.flaps++)
    }
    const registering = fleet.#registries.map((each, i) => each.register(game(`game_${i}`)))
    fleet.registrations.push(...(await world.run(Promise.all(registering))))
    await world.clock.advance(20_000)
    return fleet
  }

  /** From now on it is counted. */
  begin(): void {
    this.#from = this.world.clock.now()
    this.#seconds.clear()
  }

  /** Those whose entries ended are back when they are written again. */
  async untilAllAreWritten(): Promise<void> {
    const { clock } = this.world
    for (const registry of this.#registries) {
      registry.on('registered', () => this.returns.push(clock.now() - this.#from))
    }
    await clock.runUntil(() => this.returns.length === this.#registries.length)
  }

  async untilAllAreBack(): Promise<void> {
    const { clock } = this.world
    const away = new Set(this.registrations)
    await clock.runUntil(() => {
      for (const registration of away) {
        if (!registration.isRegistered) continue
        away.delete(registration)
        this.returns.push(clock.now() - this.#from)
      }
      return away.size === 0
    })
  }

  /** The most requests of these kinds in any one second. */
  peak(...kinds: readonly Kind[]): number {
    const seconds = new Map<string, number>()
    for (const [name, count] of this.#seconds) {
      const [second, kind] = name.split(' ') as [string, Kind]
      if (kinds.includes(kind)) seconds.set(second, (seconds.get(second) ?? 0) + count)
    }
    return Math.max(0, ...seconds.values())
  }

  quantile(part: number): number {
    const sorted = [...this.returns].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
  }

  #count(link: MemoryBackend): void {
    const { clock } = this.world
    const wrap = (kind: Kind) => {
      const work = (link[kind] as (...args: unknown[]) => Promise<unknown>).bind(link)
      Object.assign(link, {
        [kind]: (...args: unknown[]) => {
          // What is refused on this side reaches no server.
          if (link.fault !== 'refuse') {
            const name = `${Math.floor((clock.now() - this.#from) / 1000)} ${kind}`
            this.#seconds.set(name, (this.#seconds.get(name) ?? 0) + 1)
          }
          return work(...args)
        },
      })
    }
    for (const kind of ['grantLease', 'keepAlive', 'transact', 'range', 'entryAt'] as const)
      wrap(kind)
  }
}

describe('a fleet that comes back', { timeout: 60_000 }, () => {
  it.for(['store', 'links'] as const)(
    'of 50 nodes is registered within a second (the %s were away)',
    async (away) => {
      const returns: number[] = []
      for (let seed = 1; seed <= 3; seed++) {
        const fleet = await Fleet.of(50, 50, seed)
        const broken = away === 'store' ? [fleet.world.store] : fleet.links
        for (const each of broken) each.setFault('refuse')
        await fleet.world.clock.advance(15_000 + seed * 137)
        for (const each of broken) each.setFault(undefined)
        fleet.begin()
        await fleet.untilAllAreBack()
        returns.push(...fleet.returns)
        await fleet.world.stop()
      }
      returns.sort((a, b) => a - b)
      expect(returns[Math.floor(returns.length * 0.99)]).toBeLessThan(1000)
    },
  )

  it.for(['store', 'links'] as const)(
    'of 500 nodes takes its time, and no more than ten seconds (the %s were away)',
    async (away) => {
      const fleet = await Fleet.of(500, 100)
      const broken = away === 'store' ? [fleet.world.store] : fleet.links
      for (const each of broken) each.setFault('refuse')
      await fleet.world.clock.advance(30_000)
      for (const each of broken) each.setFault(undefined)
      fleet.begin()
      await fleet.untilAllAreBack()
      expect(fleet.quantile(1)).toBeLessThan(10_000)
      expect(fleet.peak('grantLease', 'transact')).toBeLessThanOrEqual(200)
      await fleet.world.clock.advance(20_000)
      // Leases that lived, or came back inside the grace, are no news for those who watch.
      expect(fleet.flaps).toBe(0)
      await fleet.world.stop()
    },
  )

  it('of 500 nodes whose leases end together asks no more than 200 times a second', async () => {
    const fleet = await Fleet.of(500, 100)
    fleet.begin()
    for (let lease = 1; lease <= 500; lease++) fleet.world.store.expireLease(String(lease))
    await fleet.untilAllAreWritten()
    expect(fleet.quantile(1)).toBeLessThan(10_000)
    expect(fleet.peak('grantLease', 'transact')).toBeLessThanOrEqual(200)
    await fleet.world.stop()
  })
})
