import assert from 'node:assert/strict'
import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import {
  MemoryBackend,
  Registry,
  type Claim,
  type ClaimOffer,
  type Directory,
  type NodeRecord,
  type Registration,
} from '../../src/index.ts'
import { FreezableClock } from './freezable-clock.ts'
import { GuardedResource } from './guarded-resource.ts'

const STEPS = 60
const TTL_SECONDS = 3

interface Process {
  readonly index: number
  readonly clock: FreezableClock
  readonly link: MemoryBackend
  readonly registry: Registry
  readonly directory: Directory
  /** What the events of the directory add up to. */
  readonly told: Map<string, NodeRecord>
  registration: Registration | undefined
  leaseId: string
  isWaiting: boolean
}

export interface HistoryFigures {
  /** Changes of entries that were written. */
  changes: number
  /** Guarded actions that were done. */
  acts: number
}

/**
 * One history of faults over a memory store: cut, hung and mute links, late calls, a store that is down, gone
 * history, ended leases, stopped processes, a wall clock that jumps; while processes register, change, leave,
 * claim, lock, lead and hand claims on. Throws when a promise is broken.
 */
export async function memoryHistory(seed: number): Promise<HistoryFigures> {
  const history = new MemoryHistory(seed)
  return history.run()
}

class MemoryHistory {
  readonly #seed: number
  readonly #random: SeededRandom
  readonly #clock = new SteppedClock({ startMs: 1000 })
  readonly #store = new MemoryBackend({ clock: this.#clock })
  readonly #processes: Process[] = []
  readonly #claimed = new GuardedResource(() => this.#clock.now())
  readonly #locked = new GuardedResource(() => this.#clock.now())
  readonly #led = new GuardedResource(() => this.#clock.now())
  readonly #claims = new Map<number, Claim>()
  #offer: ClaimOffer | undefined
  /** An operator who ends a lease takes it from under its owner, who hears of it with the next keepalive. */
  readonly #isRevoking: boolean
  #changes = 0
  #step = 0

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(seed)
    this.#isRevoking = seed % 4 === 0
    for (let index = 0; index < 4; index++) this.#processes.push(this.#process(index))
  }

  async run(): Promise<HistoryFigures> {
    for (this.#step = 0; this.#step < STEPS; this.#step++) {
      await this.#doSomething()
      this.#check()
      if (this.#random.chance(0.05)) this.#clock.suspend(this.#random.int(7000))
      this.#check()
      await this.#clock.advance(this.#random.int(800))
      this.#check()
    }
    await this.#quiesce()
    return {
      changes: this.#changes,
      acts: this.#claimed.acts + this.#locked.acts + this.#led.acts,
    }
  }

  #process(index: number): Process {
    const clock = new FreezableClock(this.#clock)
    const link = this.#store.client()
    const random = this.#random.fork()
    const registry = new Registry(link, { clock, random, ttlSeconds: TTL_SECONDS })
    const directory = registry.watch('game')
    const told = new Map<string, NodeRecord>()
    const where = () => this.#where
    directory.on('join', (node) => {
      assert(!told.has(node.id), `${where()}: ${node.id} joins twice`)
      told.set(node.id, node)
    })
    directory.on('update', (node, before) => {
      assert.equal(told.get(node.id), before, `${where()}: an update of what was not told`)
      told.set(node.id, node)
    })
    directory.on('leave', (node) => {
      assert(told.delete(node.id), `${where()}: ${node.id} leaves without being there`)
    })
    const registration = undefined
    const made = { index, clock, link, registry, directory, told, registration }
    const process: Process = { ...made, leaseId: '', isWaiting: false }
    registry.on('lease-live', ({ leaseId }) => (process.leaseId = leaseId))
    return process
  }

  get #where(): string {
    return `seed ${this.#seed} step ${this.#step}`
  }

  async #doSomething(): Promise<void> {
    const random = this.#random
    const process = random.pick(this.#processes)
    const { link, clock } = process
    const chance = random.int(20)
    if (chance < 4) {
      link.setFault(random.pick(['refuse', 'hang', 'mute', undefined, undefined, undefined]))
      link.setLatency(random.pick([0, 0, 0, 50, 400, 1200, 2600]))
    } else if (chance === 4) this.#store.setFault(random.chance(0.3) ? 'refuse' : undefined)
    else if (chance === 5) this.#store.compact()
    else if (chance === 6) link.dropWatches()
    else if (chance === 7) this.#clock.jumpWall(random.pick([3_600_000, -3_600_000]))
    else if (chance === 8) {
      if (this.#isRevoking) this.#store.expireLease(String(random.int(30)))
    } else if (chance === 9) {
      if (clock.isFrozen) this.#thaw(process)
      else {
        clock.freeze()
        link.setFault('mute')
      }
    } else if (chance === 10) await this.#spoil()
    else if (!clock.isFrozen) {
      if (chance < 14) this.#register(process)
      else if (chance < 17) this.#claim(process)
      else if (chance === 17) this.#wait(process, this.#locked, 'lock')
      else if (chance === 18) this.#wait(process, this.#led, 'lead')
      else this.#handOn(process)
    }
  }

  /** It acts before any of its timers has run, if it believes that it may. */
  #thaw(process: Process): void {
    process.clock.thaw()
    process.link.setFault(undefined)
    this.#check()
  }

  /** Somebody deletes a node's key or writes over it. */
  async #spoil(): Promise<void> {
    if (this.#store.fault !== undefined) return
    const key = `/default/nodes/game/game_${this.#random.int(4)}`
    const [entry] = (await this.#store.range({ key })).entries
    if (!entry) return
    const spoil = this.#random.chance(0.5)
      ? { kind: 'delete' as const, key }
      : { kind: 'put' as const, key, value: '?', lease: entry.lease }
    await this.#store.transact({ when: [], then: [spoil] })
  }

  #register(process: Process): void {
    this.#changes++
    const { registration, registry, index } = process
    const quietly = () => {}
    if (!registration) {
      const id = `game_${index}`
      registry.register({ id, role: 'game', addresses: {} }).then((made) => {
        if (process.registration) return
        process.registration = made
      }, quietly)
      return
    }
    const chance = this.#random.int(4)
    if (chance === 0) {
      process.registration = undefined
      registration.leave().catch(quietly)
    } else if (chance === 1) {
      registration.setState(this.#random.pick(['ready', 'draining', 'starting'])).catch(quietly)
    } else registration.update({ step: this.#step }).catch(quietly)
  }

  #claim(process: Process): void {
    const { index, registry } = process
    const held = this.#claims.get(index)
    if (held && this.#claimed.held(index)) {
      if (this.#random.chance(0.5)) held.release().catch(() => {})
      return
    }
    registry.claim('k', `process ${index}`, { timeoutMs: 800 }).then(
      (outcome) => {
        if (!outcome.claimed) return
        this.#claims.set(index, outcome.claim)
        this.#claimed.give(index, outcome.claim)
      },
      () => {},
    )
  }

  #wait(process: Process, resource: GuardedResource, kind: 'lock' | 'lead'): void {
    const { index, registry } = process
    const held = resource.held(index)
    if (held) {
      held.release().catch(() => {})
      return
    }
    if (process.isWaiting) return
    process.isWaiting = true
    const timeoutMs = 1000 + this.#random.int(9000)
    const turn =
      kind === 'lock'
        ? registry.lock('l', { timeoutMs })
        : registry.elect('m').campaign('me', { timeoutMs })
    turn
      .then(
        (lock) => resource.give(index, lock),
        () => {},
      )
      .finally(() => (process.isWaiting = false))
  }

  /** Offers a claim, accepts the last offer, or takes an own one back. */
  #handOn(process: Process): void {
    const { index, registry } = process
    const claim = this.#claims.get(index)
    if (claim && this.#claimed.held(index)) this.#offer = claim.offer()
    else if (claim && this.#random.chance(0.4)) claim.withdraw().catch(() => {})
    else if (this.#offer) {
      registry.accept(this.#offer, `process ${index}`, { timeoutMs: 800 }).then(
        (outcome) => {
          if (!outcome.claimed) return
          this.#claims.set(index, outcome.claim)
          this.#claimed.give(index, outcome.claim)
        },
        () => {},
      )
    }
  }

  #check(): void {
    if (this.#isRevoking) return
    const running = this.#processes.filter(({ clock }) => !clock.isFrozen).map(({ index }) => index)
    for (const each of [this.#claimed, this.#locked, this.#led]) each.act(running, this.#where)
    this.#checkLeases()
  }

  /** No process believes in its lease longer than the store does. */
  #checkLeases(): void {
    const now = this.#clock.now()
    for (const { registry, leaseId } of this.#processes) {
      const { heldUntil } = registry.lease
      if (!(now < heldUntil)) continue
      const endsAt = this.#store.leaseEndsAt(leaseId)
      assert(heldUntil < endsAt, `${this.#where}: held until ${heldUntil}, ends at ${endsAt}`)
    }
  }

  async #quiesce(): Promise<void> {
    this.#store.setFault(undefined)
    for (const process of this.#processes) {
      if (process.clock.isFrozen) this.#thaw(process)
      process.link.setFault(undefined)
      process.link.setLatency(0)
    }
    await this.#clock.advance(4 * TTL_SECONDS * 1000)
    const { entries } = await this.#store.range({ prefix: '/default/nodes/game/' })
    const stored = entries.map((entry): unknown => JSON.parse(entry.value))
    const wanted = this.#processes.flatMap(({ registration }) => registration?.record ?? [])
    const where = `seed ${this.#seed}`
    assert.deepEqual(stored, wanted, `${where}: what stands is what the nodes want`)
    for (const { directory, told } of this.#processes) {
      assert.equal(directory.stale, false, `${where}: stale`)
      assert.deepEqual(directory.nodes, stored, `${where}: the view is the store`)
      const events = [...told.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(events, stored, `${where}: the events add up to the view`)
    }
    const stopping = Promise.all(this.#processes.map(({ registry }) => registry.stop()))
    let isStopped = false
    void stopping.then(() => (isStopped = true))
    await this.#clock.runUntil(() => isStopped)
    const left = (await this.#store.range({ prefix: '/' })).entries.map(({ key }) => key)
    assert.deepEqual(left, [], `${where}: nothing is left behind`)
    assert.equal(this.#clock.pending, 0, `${where}: no timer is left`)
  }
}
