import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import {
  EtcdProcess,
  eventually,
  seededRandom,
  TcpFaultProxy,
  type SeededRandom,
} from '@rts/testing'
import { Etcd3 } from 'etcd3'
import {
  EtcdBackend,
  Registry,
  type Claim,
  type ClaimOffer,
  type Directory,
  type NodeRecord,
  type Registration,
} from '../../src/index.ts'
import { systemClock } from '../../src/clock.ts'
import { GuardedResource } from './guarded-resource.ts'
import type { HistoryFigures } from './memory-history.ts'

const STEPS = 16
const TTL_SECONDS = 2

interface Process {
  readonly index: number
  readonly proxy: TcpFaultProxy
  readonly registry: Registry
  readonly directory: Directory
  readonly told: Map<string, NodeRecord>
  registration: Registration | undefined
  leaseId: string
  isWaiting: boolean
}

/**
 * One history of faults on a real etcd: killed, stopped and restarted, compacted, links that are cut at any
 * byte, refused, half open or sliced; keys deleted by hand; the wall clock of the processes jumps. Throws when
 * a promise is broken.
 */
export async function etcdHistory(seed: number): Promise<HistoryFigures> {
  const etcd = await EtcdProcess.start()
  const history = new EtcdHistory(seed, etcd)
  try {
    return await history.run()
  } finally {
    await history.close()
    await etcd.stop()
  }
}

class EtcdHistory {
  readonly #seed: number
  readonly #etcd: EtcdProcess
  readonly #random: SeededRandom
  readonly #admin: Etcd3
  readonly #processes: Process[] = []
  readonly #claimed = new GuardedResource(systemClock.now)
  readonly #locked = new GuardedResource(systemClock.now)
  readonly #claims = new Map<number, Claim>()
  readonly #wall = { offsetMs: 0 }
  #offer: ClaimOffer | undefined
  #changes = 0
  #step = 0

  constructor(seed: number, etcd: EtcdProcess) {
    this.#seed = seed
    this.#etcd = etcd
    this.#random = seededRandom(seed)
    this.#admin = new Etcd3({ hosts: etcd.url })
  }

  async run(): Promise<HistoryFigures> {
    for (let index = 0; index < 3; index++) this.#processes.push(await this.#process(index))
    let failure: unknown
    const acting = setInterval(() => {
      try {
        this.#act()
      } catch (error) {
        failure ??= error
      }
    }, 5)
    try {
      for (this.#step = 0; this.#step < STEPS; this.#step++) {
        await this.#fault()
        for (const process of this.#processes) this.#work(process)
        await pause(this.#random.int(300))
        await this.#checkLeases()
        if (failure) throw failure
      }
      await this.#quiesce()
    } finally {
      clearInterval(acting)
    }
    if (failure) throw failure
    return { changes: this.#changes, acts: this.#claimed.acts + this.#locked.acts }
  }

  async close(): Promise<void> {
    this.#etcd.resume()
    await Promise.all(this.#processes.map(({ registry }) => registry.stop()))
    await Promise.all(this.#processes.map(({ proxy }) => proxy.close()))
    this.#admin.close()
  }

  get #where(): string {
    return `seed ${this.#seed} step ${this.#step}`
  }

  async #process(index: number): Promise<Process> {
    const target = { host: '127.0.0.1', port: this.#etcd.port }
    const proxy = await TcpFaultProxy.listen({ target, random: this.#random.fork() })
    const registry = new Registry(new EtcdBackend({ hosts: proxy.url('http') }), {
      ttlSeconds: TTL_SECONDS,
      random: this.#random.fork(),
      clock: { ...systemClock, wall: () => systemClock.wall() + this.#wall.offsetMs },
    })
    const directory = registry.watch('game')
    const told = new Map<string, NodeRecord>()
    directory.on('join', (node) => told.set(node.id, node))
    directory.on('update', (node) => told.set(node.id, node))
    directory.on('leave', (node) => void told.delete(node.id))
    const registration = undefined
    const made = { index, proxy, registry, directory, told, registration }
    const process: Process = { ...made, leaseId: '', isWaiting: false }
    registry.on('lease-live', ({ leaseId }) => (process.leaseId = leaseId))
    return process
  }

  async #fault(): Promise<void> {
    const random = this.#random
    const { proxy } = random.pick(this.#processes)
    const chance = random.int(14)
    if (chance < 3) proxy.cut({ afterBytes: random.int(600) })
    else if (chance === 3) await proxy.refuse(random.chance(0.5))
    else if (chance === 4) proxy.stall(random.chance(0.6))
    else if (chance === 5) proxy.slice(random.int(40))
    else if (chance === 6) {
      await this.#etcd.kill()
      await pause(random.int(random.chance(0.4) ? 1500 * TTL_SECONDS : 300))
      await this.#etcd.restart()
    } else if (chance === 7) {
      this.#etcd.pause()
      await pause(random.int(random.chance(0.4) ? 1500 * TTL_SECONDS : 300))
      this.#etcd.resume()
    } else if (chance === 8) {
      const { header } = await this.#admin.kv.range({ key: Buffer.from('/') })
      await this.#admin.kv.compact({ revision: header.revision }).catch(() => {})
    } else if (chance === 9) {
      const key = `/default/nodes/game/game_${random.int(3)}`
      await this.#admin
        .delete()
        .key(key)
        .catch(() => {})
    } else if (chance === 10) {
      this.#wall.offsetMs = random.pick([0, 3_600_000, -3_600_000])
    } else {
      await proxy.refuse(false)
      proxy.heal()
    }
  }

  #work(process: Process): void {
    const { index, registry, registration } = process
    const random = this.#random
    const quietly = () => {}
    const chance = random.int(8)
    if (!registration) {
      if (chance < 4) {
        this.#changes++
        const id = `game_${index}`
        registry.register({ id, role: 'game', addresses: {} }).then((made) => {
          process.registration ??= made
        }, quietly)
      }
    } else if (chance < 3) {
      this.#changes++
      registration.update({ step: this.#step }).catch(quietly)
    } else if (chance === 3 && random.chance(0.3)) {
      this.#changes++
      process.registration = undefined
      registration.leave().catch(quietly)
    }
    if (random.chance(0.5)) this.#claim(process)
    if (random.chance(0.5)) this.#lock(process)
  }

  #claim({ index, registry }: Process): void {
    const held = this.#claims.get(index)
    const take = (outcome: Awaited<ReturnType<Registry['claim']>>) => {
      if (!outcome.claimed) return
      this.#claims.set(index, outcome.claim)
      this.#claimed.give(index, outcome.claim)
    }
    if (held && this.#claimed.held(index)) {
      if (this.#random.chance(0.4)) held.release().catch(() => {})
      else this.#offer = held.offer()
    } else if (this.#offer && this.#random.chance(0.5)) {
      registry.accept(this.#offer, `process ${index}`).then(take, () => {})
    } else if (held && this.#random.chance(0.5)) held.withdraw().catch(() => {})
    else registry.claim('k', `process ${index}`).then(take, () => {})
  }

  #lock(process: Process): void {
    const { index, registry } = process
    const held = this.#locked.held(index)
    if (held) held.release().catch(() => {})
    else if (!process.isWaiting) {
      process.isWaiting = true
      registry
        .lock('l', { timeoutMs: 5000 })
        .then(
          (lock) => this.#locked.give(index, lock),
          () => {},
        )
        .finally(() => (process.isWaiting = false))
    }
  }

  #act(): void {
    const all = this.#processes.map(({ index }) => index)
    for (const each of [this.#claimed, this.#locked]) each.act(all, this.#where)
  }

  /** Nobody believes in a lease that the server does not have. */
  async #checkLeases(): Promise<void> {
    for (const process of this.#processes) {
      const { leaseId } = process
      if (!leaseId) continue
      const { TTL } = await this.#admin.leaseClient.leaseTimeToLive({ ID: leaseId })
      const isHeld = systemClock.now() < process.registry.lease.heldUntil
      if (!isHeld || leaseId !== process.leaseId) continue
      assert(
        Number(TTL) >= 0,
        `${this.#where}: process ${process.index} holds a lease that is gone`,
      )
    }
  }

  async #quiesce(): Promise<void> {
    for (const { proxy } of this.#processes) {
      await proxy.refuse(false)
      proxy.heal()
    }
    const where = `seed ${this.#seed}`
    const check = async () => {
      const wanted = this.#processes.flatMap(({ registration }) => registration?.record ?? [])
      const { kvs } = await this.#admin.getAll().prefix('/default/nodes/game/').exec()
      const stored = kvs.map((entry): unknown => JSON.parse(entry.value.toString()))
      assert.deepEqual(stored, wanted, `${where}: what stands is what the nodes want`)
      for (const { directory, told } of this.#processes) {
        assert.equal(directory.stale, false, `${where}: stale`)
        assert.deepEqual(directory.nodes, stored, `${where}: the view is the store`)
        const events = [...told.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
        assert.deepEqual(events, stored, `${where}: the events add up to the view`)
      }
    }
    await eventually(check, { timeoutMs: 15_000, message: where })
  }
}
