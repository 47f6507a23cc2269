import { describe, expect, it } from 'vitest'
import { Registry, StaticBackend } from '../src/index.ts'
import { World } from './world.ts'

const line = async (world: World) =>
  (await world.store.range({ prefix: '/default/locks/' })).entries.length

describe('a line for a lock', () => {
  it('wakes one process for each turn: everybody watches only who stands before', async () => {
    const world = new World()
    const nodes = Array.from({ length: 6 }, () => world.node())
    const watched: string[] = []
    for (const { link } of nodes) {
      const { watch } = link
      link.watch = (range, revision, handlers) => {
        watched.push('key' in range ? range.key : range.prefix)
        return watch.call(link, range, revision, handlers)
      }
    }
    const first = await world.run(nodes[0]!.registry.lock('l'))
    const waiting = []
    for (const [i, { registry }] of nodes.slice(1).entries()) {
      const turn = registry.lock('l', { timeoutMs: 60_000 })
      // Those that still wait when the test ends are stopped.
      turn.catch(() => {})
      waiting.push(turn)
      await world.clock.advance(10)
      expect(await line(world)).toBe(i + 2)
    }
    const { entries } = await world.store.range({ prefix: '/default/locks/l/' })
    const keys = [...entries].sort((a, b) => a.createRevision - b.createRevision)
    expect(watched).toEqual(keys.slice(0, 5).map((entry) => entry.key))
    await world.run(first.release())
    const second = await world.run(waiting[0]!)
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(watched).toHaveLength(5)
    // One in the middle leaves: who stood behind it looks at the next one before.
    await world.run(nodes[2]!.registry.stop())
    await expect(waiting[1]).rejects.toMatchObject({ code: 'DISCOVERY_STOPPED' })
    await world.clock.advance(10)
    expect(watched).toHaveLength(6)
    expect(watched[5]).toBe(keys[1]!.key)
    await world.stop()
  })

  it('keeps a place through an outage, and takes a new one when the lease is lost', async () => {
    const world = new World()
    const [a, b, c] = [world.node(), world.node(), world.node()]
    const held = await world.run(a.registry.lock('l'))
    const order: string[] = []
    const wait = (name: string, { registry }: typeof a) =>
      registry.lock('l', { timeoutMs: Infinity }).then((lock) => {
        order.push(name)
        return lock
      })
    const second = wait('b', b)
    await world.clock.advance(10)
    const third = wait('c', c)
    await world.clock.advance(10)
    world.store.setAvailable(false)
    await world.clock.advance(1000)
    world.store.setAvailable(true)
    await world.clock.advance(1000)
    expect(held.signal.aborted).toBe(false)
    // The link of b alone is away until its lease is over: it comes back behind c.
    b.link.setFault('refuse')
    await world.clock.advance(8000)
    b.link.setFault(undefined)
    await world.clock.advance(2000)
    expect(order).toEqual([])
    await world.run(held.release())
    await world.run((await world.run(third)).release())
    await world.run(second)
    expect(order).toEqual(['c', 'b'])
    await world.stop()
  })

  it('holds on to nothing of the turns it had, however many those were', async () => {
    const world = new World()
    const [a, b] = [world.node(), world.node()]
    const take = async ({ registry }: typeof a) => {
      for (let turn = 0; turn < 50; turn++) {
        const lock = await registry.lock('l', { timeoutMs: 60_000 })
        await new Promise<void>((resolve) => void world.clock.setTimer(5, resolve))
        await lock.release()
      }
    }
    const both = Promise.all([take(a), take(b)])
    await world.clock.advance(20)
    expect(a.registry.stats().waiting + b.registry.stats().waiting).toBe(1)
    await world.run(both)
    for (const { registry } of [a, b])
      expect(registry.stats()).toMatchObject({ claims: 0, waiting: 0 })
    expect(await line(world)).toBe(0)
    await world.stop()
  })

  it('goes on when the holder and those next in line die or stand still, and wakes nobody too early', async () => {
    const world = new World()
    const nodes = Array.from({ length: 6 }, () => world.node())
    const held = await world.run(nodes[0]!.registry.lock('l'))
    const turns: { at: number; by: number; fence: number }[] = []
    for (const [i, { registry }] of nodes.slice(1).entries()) {
      registry
        .lock('l', { timeoutMs: Infinity })
        .then((lock) => turns.push({ at: world.clock.now(), by: i + 1, fence: lock.fence }))
        .catch(() => {})
      await world.clock.advance(10)
    }
    // Nothing is heard any more of the holder, of the next one, and of the fourth.
    const diedAt = world.clock.now()
    for (const i of [0, 1, 4]) nodes[i]!.link.setFault('hang')
    await world.clock.advance(2500)
    expect([held.signal.aborted, turns]).toEqual([false, []])
    await world.clock.advance(5000)
    expect(turns.map(({ by }) => by)).toEqual([2])
    expect(turns[0]!.fence).toBeGreaterThan(held.fence)
    expect(turns[0]!.at - diedAt).toBeGreaterThan(2500)
    expect(turns[0]!.at - diedAt).toBeLessThan(4000)
    expect(held.heldUntil).toBe(0)
    // The one that holds it dies too, and one that stood still is heard again: it is at the end of the line.
    nodes[2]!.link.setFault('hang')
    for (const i of [1, 4]) nodes[i]!.link.setFault(undefined)
    await world.clock.advance(6000)
    expect(turns.map(({ by }) => by)).toEqual([2, 3])
    await world.run(nodes[3]!.registry.stop())
    await world.clock.advance(1000)
    expect(turns.map(({ by }) => by)).toEqual([2, 3, 5])
    const fences = turns.map(({ fence }) => fence)
    expect(fences).toEqual(fences.toSorted((a, b) => a - b))
    for (const { link } of nodes) link.setFault(undefined)
    await world.stop()
  })

  it('leaves nothing behind when the write of a place is done and not answered', async () => {
    const world = new World()
    const { registry, link } = world.node()
    await world.run(registry.start())
    link.setFault('mute')
    const waiting = world.failure(registry.lock('l', { timeoutMs: 500 }))
    expect(await waiting).toMatchObject({ code: 'DISCOVERY_TIMEOUT' })
    link.setFault(undefined)
    await world.clock.advance(8000)
    expect(await line(world)).toBe(0)
    await world.stop()
  })

  it('keeps the lines of names apart that begin alike', async () => {
    const world = new World()
    const { registry } = world.node()
    const names = ['a', 'a/b', 'a/b/c', 'a%2Fb', 'á ☃']
    for (const name of names)
      expect(await world.run(registry.lock(name))).toMatchObject({ key: name })
    expect(registry.stats().claims).toBe(names.length)
    await world.stop()
  })

  it('is refused over a backend that is not shared, and for a name that is none', async () => {
    await using registry = new Registry(new StaticBackend([]))
    await expect(registry.lock('l')).rejects.toMatchObject({ code: 'DISCOVERY_UNSUPPORTED' })
    expect(() => registry.elect('l')).toThrow(/not shared/)
    const world = new World()
    expect(() => world.node().registry.elect('')).toThrow(RangeError)
    expect(await world.failure(world.node().registry.lock(''))).toBeInstanceOf(RangeError)
    await world.stop()
  })
})
