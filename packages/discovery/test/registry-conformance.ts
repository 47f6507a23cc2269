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
    let registries: Registry[] = []
    let count = 0
    let cluster = ''
    beforeAll(async () => {
      harness = await make()
    })
    afterEach(async () => {
      await harness.run(Promise.all(registries.map((registry) => registry.stop())))
      registries = []
    })
    afterAll(() => harness.close())

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
      expect(directory.pick()).toBe(directory.nodes[0])

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
