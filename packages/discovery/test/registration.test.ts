import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { DiscoveryError, MemoryBackend, Registration } from '../src/index.ts'
import { game, ids, World } from './world.ts'

const KEY = '/default/nodes/game/game_1'

async function registered() {
  const world = new World()
  const { registry, link } = world.node()
  const registration = await world.run(registry.register(game('game_1')))
  const entry = async () => (await world.store.range({ key: KEY })).entries[0]
  return { world, registry, link, registration, entry }
}

/** A node whose calls take a time of their own each, on a lease whose audit is far away. */
async function slow(seed: number) {
  const world = new World(seed)
  const random = seededRandom(seed)
  const { registry, link } = world.node({ ttlSeconds: 60 })
  await world.run(registry.start())
  const delay = () =>
    new Promise<void>((resolve) => void world.clock.setTimer(random.int(15), resolve))
  const delayed =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await delay()
      const result = await call.apply(link, args)
      await delay()
      return result
    }
  link.transact = delayed(link.transact)
  link.range = delayed(link.range)
  return { world, registry, random }
}

describe('a registration', () => {
  it('is put back at once when somebody deletes it, under the same lease', async () => {
    const { world, entry, registration } = await registered()
    const before = (await entry())!
    await world.clock.settle()
    await world.store.transact({ when: [], then: [{ kind: 'delete', key: KEY }] })
    await world.clock.advance(10)
    expect(await entry()).toMatchObject({ value: before.value, lease: before.lease })
    expect(registration.isRegistered).toBe(true)
    await world.stop()
  })

  it('is put back when somebody writes over it by hand', async () => {
    const { world, entry } = await registered()
    const before = (await entry())!
    await world.clock.settle()
    for (const value of ['rubbish', before.value.replace('ready', 'draining'), before.value]) {
      await world.store.transact({ when: [], then: [{ kind: 'put', key: KEY, value }] })
      await world.clock.advance(10)
      expect(await entry()).toMatchObject({ value: before.value, lease: before.lease })
    }
    await world.stop()
  })

  it('is put back by the audit when the watch on it is deaf', async () => {
    const { world, link, entry } = await registered()
    const watch = link.watch.bind(link)
    link.watch = (range, from, handlers) => watch(range, from, { ...handlers, onEvents() {} })
    link.dropWatches()
    await world.clock.advance(1000)
    await world.store.transact({ when: [], then: [{ kind: 'delete', key: KEY }] })
    await world.clock.advance(100)
    expect(await entry()).toBeUndefined()
    await world.clock.advance(6000)
    expect(await entry()).toBeDefined()
    await world.stop()
  })

  it('stands again under a new lease within a second of the end of any outage', async () => {
    for (const outageMs of [1000, 4000, 60_000, 3_600_000]) {
      const { world, link, entry, registration } = await registered()
      link.setAvailable(false)
      await world.clock.advance(outageMs)
      link.setAvailable(true)
      await world.clock.advance(1000)
      expect(registration.isRegistered, `${outageMs} ms`).toBe(true)
      expect(await entry()).toBeDefined()
      await world.stop()
    }
  })

  it('never flickers when the store restarts and the node lives', async () => {
    const { world } = await registered()
    const { registry: watcher } = world.node()
    const directory = watcher.watch('game')
    await world.run(directory.ready())
    const heard: string[] = []
    directory.on('join', () => heard.push('join'))
    directory.on('leave', () => heard.push('leave'))
    for (const outageMs of [500, 2000, 30_000, 600_000]) {
      world.store.setAvailable(false)
      await world.clock.advance(outageMs)
      expect(directory).toMatchObject({ stale: true })
      expect(directory.pick()?.id).toBe('game_1')
      world.store.setAvailable(true)
      await world.clock.advance(10_000)
      expect(directory.stale).toBe(false)
    }
    expect(heard).toEqual([])
    await world.stop()
  })

  it('is written once when the answer to the write is lost', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    const registering = registry.register(game('game_1'), {})
    link.setFault('mute')
    await world.clock.advance(1000)
    link.setFault(undefined)
    const registration = await world.run(registering)
    expect(registration.isRegistered).toBe(true)
    const { entries } = await world.store.range({ key: KEY })
    expect(entries[0]).toMatchObject({ createRevision: entries[0]!.modRevision })
    await world.stop()
  })

  it('gives up entering when the backend is silent, and leaves nothing behind', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    link.setFault('mute')
    expect(await world.failure(registry.register(game('game_1')))).toMatchObject({
      code: 'DISCOVERY_UNAVAILABLE',
      executed: 'maybe',
    })
    // The write was done though nobody could say so.
    expect((await world.store.range({ key: KEY })).entries).toHaveLength(1)
    link.setFault(undefined)
    await world.clock.advance(5000)
    expect(registry.lease.state).toBe('live')
    expect((await world.store.range({ key: KEY })).entries).toEqual([])
    expect((await world.run(registry.register(game('game_1')))).isRegistered).toBe(true)
    await world.stop()
  })

  it('gives up entering when its signal says so', async () => {
    const { world } = await registered()
    const { registry } = world.node()
    const abort = new AbortController()
    const waiting = registry.register(game('game_1'), { signal: abort.signal })
    await world.clock.advance(100)
    abort.abort(new Error('enough'))
    expect(await world.failure(waiting)).toMatchObject({ message: 'enough' })
    await world.stop()
  })

  it('keeps a change that could not be written and writes it when the backend answers', async () => {
    const { world, link, registration, entry } = await registered()
    link.setFault('hang')
    expect(await world.failure(registration.setState('draining'))).toMatchObject({
      code: 'DISCOVERY_UNAVAILABLE',
    })
    expect(registration.record.state).toBe('draining')
    expect(registration.isRegistered).toBe(false)
    link.setFault(undefined)
    await world.clock.advance(5000)
    expect(registration.isRegistered).toBe(true)
    expect((await entry())!.value).toContain('draining')
    await world.stop()
  })

  it('writes the last of many changes at once, and settles all of them', async () => {
    const { world, registration, entry } = await registered()
    await world.run(Promise.all([1, 2, 3, 4, 5].map((load) => registration.update({ load }))))
    expect((await entry())!.value).toContain('"load":5')
    await world.stop()
  })

  it('stays away when it has left, also if the backend was away then', async () => {
    const { world, link, registration, entry } = await registered()
    link.setFault('hang')
    const leaving = world.failure(registration.leave())
    expect(await leaving).toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' })
    await expect(registration.setState('ready')).rejects.toMatchObject({
      code: 'DISCOVERY_STOPPED',
    })
    link.setFault(undefined)
    await world.clock.advance(5000)
    expect(await entry()).toBeUndefined()
    await world.clock.advance(20_000)
    expect(await entry()).toBeUndefined()
    await world.stop()
  })

  it('waits for the entry of a process that died under its id, then stands', async () => {
    const { world, link: dead, entry } = await registered()
    dead.setFault('hang')
    const { registry } = world.node()
    const before = world.clock.now()
    const registration = await world.run(registry.register(game('game_1')))
    expect(world.clock.now() - before).toBeLessThanOrEqual(3100)
    expect((await entry())!.value).toContain(registration.record.epoch)
    await world.stop()
  })

  it('does not take a restart of the store for the pulse of a dead process', async () => {
    const { world, link: dead } = await registered()
    dead.setFault('hang')
    const { registry } = world.node()
    const registering = registry.register(game('game_1'))
    await world.clock.advance(1500)
    // Every lease has its whole time again, that of the dead process too.
    world.store.setAvailable(false)
    await world.clock.advance(100)
    world.store.setAvailable(true)
    expect((await world.run(registering)).isRegistered).toBe(true)
    await world.stop()
  })

  it('cannot write over its successor, says so once, and takes its place when that is gone', async () => {
    const { world, registry, link, registration, entry } = await registered()
    const errors: DiscoveryError[] = []
    registry.on('duplicate-id', (error) => errors.push(error))
    link.setFault('hang')
    const successor = world.node()
    await world.run(successor.registry.register(game('game_1')))
    const after = (await entry())!
    link.setFault(undefined)
    await world.clock.advance(60_000)
    expect(await entry()).toEqual(after)
    expect(registration.isRegistered).toBe(false)
    expect(errors.map((error) => error.code)).toEqual(['DISCOVERY_DUPLICATE_ID'])
    await world.run(successor.registry.stop())
    await world.clock.advance(10)
    expect(registration.isRegistered).toBe(true)
    await world.stop()
  })

  it('cannot be made twice in one process', async () => {
    const { world, registry } = await registered()
    expect(await world.failure(registry.register(game('game_1')))).toMatchObject({
      code: 'DISCOVERY_DUPLICATE_ID',
    })
    await world.run(registry.register(game('game_1', { role: 'lobby' })))
    await world.stop()
  })

  it('is refused when it is no record or too large a one', async () => {
    const world = new World()
    const { registry } = world.node()
    const failing = (rest: object) => world.failure(registry.register(game('game_1', rest)))
    expect(await failing({ id: 'a/b' })).toMatchObject({ name: 'RangeError', message: /id/ })
    expect(await failing({ weight: -1 })).toMatchObject({ name: 'RangeError' })
    expect(await failing({ meta: { text: 'x'.repeat(600) } })).toMatchObject({
      message: expect.stringContaining('at most 512'),
    })
    expect(registry.lease.state).toBe('none')
    await world.stop()
  })

  it('is gone after it left, though a write of it was still on its way', async () => {
    const { world, link, registration, entry } = await registered()
    link.setLatency(1000)
    const updating = registration.update({ load: 1 }).catch((error: unknown) => error)
    await world.clock.advance(100)
    const leaving = registration.leave()
    expect(await updating).toMatchObject({ code: 'DISCOVERY_STOPPED' })
    await world.run(leaving)
    expect(await entry()).toBeUndefined()
    await world.clock.advance(10_000)
    expect(await entry()).toBeUndefined()
    await world.stop()
  })

  it('is gone after it was given up, again and again, at any moment', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, registry, random } = await slow(seed)
      for (let round = 0; round < 40; round++) {
        const abort = new AbortController()
        const registering = registry.register(game('game_1'), { signal: abort.signal })
        const given = registering.then(
          (registration) => registration.leave(),
          (error: Error) => expect(error.message).toBe('enough'),
        )
        await world.clock.advance(random.int(30))
        abort.abort(new Error('enough'))
        await world.run(given)
      }
      // Long before the audit of the lease would find it.
      await world.clock.advance(2000)
      expect((await world.store.range({ key: KEY })).entries, `seed ${seed}`).toEqual([])
      await world.stop()
    }
  })

  it('stays when it comes after those of the same id that are leaving, and joins once', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, registry, random } = await slow(seed)
      const directory = world.node().registry.watch('game')
      for (let round = 0; round < 15; round++) {
        for (let given = 0; given < 2; given++) {
          const abort = new AbortController()
          const first = registry.register(game('game_1'), { signal: abort.signal })
          const left = first.then(
            (registration) => void registration.leave(),
            () => {},
          )
          await world.clock.advance(random.int(30))
          abort.abort(new Error('enough'))
          await world.run(left)
        }
        const registration = await world.run(registry.register(game('game_1', { meta: { round } })))
        await world.clock.settle()
        const heard: string[] = []
        const undo = directory.on('leave', () => heard.push('leave'))
        await world.clock.advance(2000)
        expect(heard, `seed ${seed}, round ${round}`).toEqual([])
        expect(directory.get('game_1')?.meta).toEqual({ round })
        expect((await world.store.range({ key: KEY })).entries).toHaveLength(1)
        undo()
        await world.run(registration.leave())
      }
      await world.stop()
    }
  })

  it('agrees with what the nodes want after any history of faults', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = new World(seed)
      const random = seededRandom(seed)
      const nodes: { link: MemoryBackend; registration: Registration }[] = []
      for (const id of ['game_1', 'game_2', 'game_3']) {
        const { registry, link } = world.node()
        nodes.push({ link, registration: await world.run(registry.register(game(id))) })
      }
      const { registry: watcher, link: watching } = world.node()
      const directory = watcher.watch('game')
      for (let step = 0; step < 60; step++) {
        const { link, registration } = random.pick(nodes)
        const fault = random.pick(['refuse', 'hang', 'mute', undefined, undefined] as const)
        const chance = random.int(12)
        if (chance < 4) link.setFault(fault)
        else if (chance === 10) link.setLatency(random.pick([0, 0, 20, 500, 1400, 2800]))
        else if (chance === 4) watching.setFault(fault)
        else if (chance === 5) world.store.setFault(random.chance(0.5) ? 'refuse' : undefined)
        else if (chance === 6) world.store.compact()
        else if (chance === 7) world.store.dropWatches()
        else if (chance === 8) world.store.expireLease(String(random.int(20)))
        else if (chance === 9 && world.store.fault === undefined) {
          const key = `/default/nodes/game/${registration.record.id}`
          await world.store.transact({ when: [], then: [{ kind: 'delete', key }] })
        } else registration.update({ step }).catch(() => {})
        if (random.chance(0.1)) world.clock.suspend(random.int(5000))
        await world.clock.advance(random.int(1500))
      }
      for (const link of [world.store, watching, ...nodes.map((each) => each.link)]) {
        link.setFault(undefined)
        link.setLatency(0)
      }
      await world.clock.advance(12_000)
      const { entries } = await world.store.range({ prefix: '/default/nodes/game/' })
      const wanted = nodes.map((each) => each.registration.record)
      expect(
        entries.map((entry) => JSON.parse(entry.value)),
        `seed ${seed}`,
      ).toEqual(wanted)
      expect(directory.nodes, `seed ${seed}`).toEqual(wanted)
      expect(ids(directory.nodes)).toEqual(['game_1', 'game_2', 'game_3'])
      await world.stop()
    }
  })
})
