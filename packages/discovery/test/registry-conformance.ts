import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest'
import { Registry, type Backend, type NodeInit, type RegistryOptions } from '../src/index.ts'
import { ids } from './world.ts'

export interface RegistryHarness {
  /** A connection to the one store. */
  connect(): Backend
  options(): RegistryOptions
  /** Settles when the check holds. */
  until(check: () => boolean): Promise<void>
  /** Settles as the promise does, letting time pass. */
  run<T>(promise: Promise<T>): Promise<T>
  close(): Promise<void>
}

/** What a registry promises over every backend that processes share. */
export function itIsARegistry(name: string, make: () => Promise<RegistryHarness>): void {
  describe(`a Registry over ${name}`, { timeout: 30_000 }, () => {
    let harness: RegistryHarness
    let backend: Backend
    let registries: Registry[] = []
    let count = 0
    let cluster = ''
    beforeAll(async () => {
      harness = await make()
      backend = harness.connect()
      backend.open()
    })
    afterEach(async () => {
      await harness.run(Promise.all(registries.map((registry) => registry.stop())))
      registries = []
    })
    afterAll(async () => {
      await backend.close()
      await harness.close()
    })

    /** Some processes of one cluster of their own. */
    function processes(size: number): Registry[] {
      cluster = `conformance-${process.pid}-${++count}`
      registries = Array.from({ length: size }, () => another())
      return registries
    }
    function another(): Registry {
      const registry = new Registry(harness.connect(), {
        ttlSeconds: 3,
        ...harness.options(),
        cluster,
      })
      registries.push(registry)
      return registry
    }
    const node = (id: string, rest: Partial<NodeInit> = {}): NodeInit => ({
      id,
      role: 'game',
      addresses: { tcp: `tcp://${id}:7001` },
      ...rest,
    })
    const run = <T>(promise: Promise<T>) => harness.run(promise)
    /** Waits until so many stand in a line. */
    async function standing(line: string, count: number): Promise<void> {
      let size = 0
      await harness.until(() => {
        const reading = backend.range({ prefix: `/${cluster}/${line}/` })
        void reading.then(({ entries }) => (size = entries.length))
        return size === count
      })
    }

    it('shows every process who joins, changes and leaves', async () => {
      const [a, b, watcher] = processes(3) as [Registry, Registry, Registry]
      const directory = watcher.watch('game')
      expect(directory).toMatchObject({ stale: true, nodes: [] })
      const heard: string[] = []
      directory.on('join', (each) => heard.push(`join ${each.id}`))
      directory.on('leave', (each) => heard.push(`leave ${each.id}`))
      directory.on('update', (each, before) =>
        heard.push(`update ${each.id} ${before.state} ${each.state} ${each.meta?.['load']}`),
      )
      const first = await run(a.register(node('game_1', { zone: 'eu', weight: 2, version: '1.2' })))
      await run(b.register(node('game_2', { state: 'starting' })))
      await run(b.register(node('lobby_1', { role: 'lobby' })))
      await harness.until(() => directory.nodes.length === 2)
      expect(directory.nodes[0]).toEqual({
        id: 'game_1',
        role: 'game',
        epoch: a.epoch,
        state: 'ready',
        addresses: { tcp: 'tcp://game_1:7001' },
        zone: 'eu',
        weight: 2,
        version: '1.2',
      })
      expect(directory.stale).toBe(false)
      expect(directory.get('game_2')).toBe(directory.nodes[1])
      expect(directory.pick()?.node).toBe(directory.nodes[0])

      await run(first.update({ load: 7 }))
      await run(first.setState('draining'))
      await harness.until(() => directory.pick() === undefined)
      await run(first.leave())
      await harness.until(() => directory.nodes.length === 1)
      expect(heard).toEqual([
        'join game_1',
        'join game_2',
        'update game_1 ready ready 7',
        'update game_1 ready draining 7',
        'leave game_1',
      ])
    })

    it('takes every node of a process out when it stops', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      const directory = b.watch('game')
      await run(a.register(node('game_1')))
      await run(a.register(node('game_2')))
      await run(directory.ready({ count: 2 }))
      await run(a.stop())
      await harness.until(() => directory.nodes.length === 0)
      await expect(a.register(node('game_3'))).rejects.toMatchObject({ code: 'DISCOVERY_STOPPED' })
      expect(a.lease).toMatchObject({ state: 'none', heldUntil: 0 })
    })

    it('gives a key to one of many that claim it at once, and tells the others who has it', async () => {
      const all = processes(5)
      const outcomes = await run(
        Promise.all(all.map((registry, i) => registry.claim('room/1', `game_${i}`))),
      )
      const winner = outcomes.findIndex((outcome) => outcome.claimed)
      const won = outcomes[winner]!
      if (!won.claimed) throw new Error('nobody got it')
      const holder = { key: 'room/1', value: `game_${winner}`, fence: won.claim.fence }
      expect(won.claim).toMatchObject(holder)
      expect(won.claim.heldUntil).toBe(all[winner]!.lease.heldUntil)
      for (const [i, outcome] of outcomes.entries()) {
        if (i !== winner) expect(outcome).toEqual({ claimed: false, holder })
      }
      expect(await run(all[0]!.holder('room/1'))).toEqual(holder)
      expect(await run(all[0]!.holder('room/2'))).toBeUndefined()
    })

    it('hands out a larger fence to every later owner, over release, stop and other keys', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      const fences: number[] = []
      const take = async (registry: Registry, key: string) => {
        const outcome = await run(registry.claim(key, 'me'))
        if (!outcome.claimed) throw new Error(`${key} is held by ${outcome.holder.value}`)
        fences.push(outcome.claim.fence)
        return outcome.claim
      }
      const first = await take(a, 'k')
      await run(first.release())
      await run(first.release())
      expect(first.heldUntil).toBe(0)
      expect(first.signal.aborted).toBe(false)
      await take(b, 'other')
      const second = await take(b, 'k')
      await run(b.stop())
      expect(second.signal.reason).toMatchObject({ code: 'DISCOVERY_STOPPED' })
      expect(second.heldUntil).toBe(0)
      await take(a, 'k')
      expect(fences).toEqual([...fences].sort((x, y) => x - y))
      expect(new Set(fences).size).toBe(4)
    })

    it('refuses a second living process of the same id and leaves the first alone', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      await run(a.register(node('game_1')))
      const refused = await run(b.register(node('game_1')).catch((error: Error) => error))
      expect(refused).toMatchObject({ code: 'DISCOVERY_DUPLICATE_ID' })
      expect((refused as Error).message).toContain(a.epoch)
      const directory = b.watch('game')
      await run(directory.ready())
      expect(directory.get('game_1')).toMatchObject({ epoch: a.epoch })
    })

    it('lets a restarted process have its id as soon as its predecessor left', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      const old = await run(a.register(node('game_1')))
      const waiting = b.register(node('game_1'))
      await run(old.leave())
      expect((await run(waiting)).record.epoch).toBe(b.epoch)
    })

    it('gives a lock to those who wait for it in the order they came, with growing fences', async () => {
      const all = processes(4)
      const order: string[] = []
      const first = await run(all[0]!.lock('jobs/1', { value: 'a' }))
      const waiting: Promise<void>[] = []
      for (const [i, registry] of all.entries()) {
        waiting.push(
          (async () => {
            const lock = await registry.lock('jobs/1', { value: String(i), timeoutMs: 20_000 })
            order.push(lock.value)
            expect(lock.fence).toBeGreaterThan(first.fence)
            expect(lock.heldUntil).toBe(registry.lease.heldUntil)
            await lock.release()
          })(),
        )
        await standing('locks/jobs%2F1', i + 2)
      }
      expect(order).toEqual([])
      await run(first.release())
      await run(Promise.all(waiting))
      expect(order).toEqual(['0', '1', '2', '3'])
      const other = await run(all[1]!.lock('jobs', {}))
      expect(other.value).toBe(all[1]!.epoch)
    })

    it('lets who waits for a lock leave the line: by signal, by time, by stop', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      const held = await run(a.lock('k'))
      const reason = new Error('not any more')
      const abort = new AbortController()
      const first = b.lock('k', { signal: abort.signal }).catch((error: Error) => error)
      abort.abort(reason)
      expect(await run(first)).toBe(reason)
      const late = b.lock('k', { timeoutMs: 50 }).catch((error: Error) => error)
      expect(await run(late)).toMatchObject({ code: 'DISCOVERY_TIMEOUT' })
      const stopped = b.lock('k').catch((error: Error) => error)
      await run(b.stop())
      expect(await run(stopped)).toMatchObject({ code: 'DISCOVERY_STOPPED' })
      await run(held.release())
      expect((await run(a.lock('k'))).fence).toBeGreaterThan(held.fence)
    })

    it('has one leader at a time, tells everybody who, and passes on when it resigns or stops', async () => {
      const [a, b, watcher] = processes(3) as [Registry, Registry, Registry]
      const heard: (string | undefined)[] = []
      const office = watcher.elect('master')
      expect(watcher.elect('master')).toBe(office)
      const undo = office.observe((leader) => heard.push(leader?.value))
      await harness.until(() => heard.length === 1)
      const first = await run(a.elect('master').campaign('a'))
      await expect(a.elect('master').campaign('a')).rejects.toThrow(TypeError)
      const campaign = b.elect('master').campaign('b')
      await harness.until(() => heard.length === 2)
      await standing('elections/master', 2)
      expect(await run(office.leader())).toEqual({ key: 'master', value: 'a', fence: first.fence })
      await run(a.elect('master').resign())
      expect(first.heldUntil).toBe(0)
      const second = await run(campaign)
      expect(second.fence).toBeGreaterThan(first.fence)
      const again = a.elect('master').campaign('a again')
      await standing('elections/master', 2)
      await run(b.stop())
      expect((await run(again)).fence).toBeGreaterThan(second.fence)
      expect(second.signal.aborted).toBe(true)
      await harness.until(() => heard.length === 4)
      expect(heard).toEqual([undefined, 'a', 'b', 'a again'])
      const later: (string | undefined)[] = []
      const undoLater = office.observe((leader) => later.push(leader?.value))
      await harness.until(() => later.length === 1)
      expect(later).toEqual(['a again'])
      undoLater()
      undo()
    })

    it('passes a claim on to who accepts the offer, under its lease and with a larger fence', async () => {
      const [a, b, c] = processes(3) as [Registry, Registry, Registry]
      const outcome = await run(a.claim('root', 'a'))
      if (!outcome.claimed) throw new Error('not claimed')
      const { claim } = outcome
      const offer = claim.offer()
      expect(claim.heldUntil).toBe(0)
      expect(await run(c.claim('root', 'c'))).toMatchObject({ claimed: false })
      const accepted = await run(b.accept(offer, 'b'))
      if (!accepted.claimed) throw new Error('not accepted')
      expect(accepted.claim.fence).toBeGreaterThan(offer.fence)
      expect(accepted.claim.heldUntil).toBe(b.lease.heldUntil)
      const holder = { key: 'root', value: 'b', fence: accepted.claim.fence }
      expect(await run(c.accept(offer, 'c'))).toEqual({ claimed: false, holder })
      expect(await run(claim.withdraw())).toBe(false)
      await run(claim.release())
      await run(a.stop())
      expect(await run(c.holder('root'))).toEqual(holder)
      await run(b.stop())
      expect(await run(c.holder('root'))).toBeUndefined()
      const late = await run(c.accept(offer, 'c').catch((error: Error) => error))
      expect(late).toMatchObject({ code: 'DISCOVERY_CLAIM_LOST' })
    })

    it('takes an offer back with a larger fence, after which nobody can accept it', async () => {
      const [a, b] = processes(2) as [Registry, Registry]
      const outcome = await run(a.claim('root', 'a'))
      if (!outcome.claimed) throw new Error('not claimed')
      const { claim } = outcome
      const offer = claim.offer()
      expect(await run(claim.withdraw())).toBe(true)
      expect(await run(claim.withdraw())).toBe(true)
      expect(claim.fence).toBeGreaterThan(offer.fence)
      expect(claim.heldUntil).toBe(a.lease.heldUntil)
      const holder = { key: 'root', value: 'a', fence: claim.fence }
      expect(await run(b.accept(offer, 'b'))).toEqual({ claimed: false, holder })
      const last = claim.offer()
      const race = await run(Promise.all([claim.withdraw(), b.accept(last, 'b')]))
      expect(race[0]).toBe(!race[1].claimed)
      expect(await run(b.holder('root'))).toMatchObject({ value: race[0] ? 'a' : 'b' })
    })

    it('keeps clusters and roles apart', async () => {
      const [a] = processes(1) as [Registry]
      await run(a.register(node('game_1')))
      await run(a.claim('k', 'a'))
      const [b] = processes(1) as [Registry]
      registries.push(a)
      await run(b.register(node('game_1')))
      expect(await run(b.claim('k', 'b'))).toMatchObject({ claimed: true })
      const directory = b.watch('game')
      await run(directory.ready())
      expect(ids(directory.nodes)).toEqual(['game_1'])
      expect(directory.get('game_1')).toMatchObject({ epoch: b.epoch })
      await run(b.watch('gam').ready({ count: 0 }))
      expect(b.watch('gam').nodes).toEqual([])
    })
  })
}
