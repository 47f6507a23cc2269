import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { KeyValue } from '../src/index.ts'
import { LiveView } from '../src/live-view.ts'
import { silentLogger } from '../src/logger.ts'
import { MemoryBackend } from '../src/memory-backend.ts'

function make(random: SeededRandom = seededRandom(1), auditIntervalMs = 300_000, isUp = true) {
  const clock = new SteppedClock()
  const store = new MemoryBackend({ clock })
  const link = store.client()
  link.setAvailable(isUp)
  /** What somebody knows who was told only the changes. */
  const told = new Map<string, KeyValue>()
  const heard: string[] = []
  const view = new LiveView({
    backend: link,
    range: { prefix: '/v/' },
    callTimeoutMs: 1000,
    auditIntervalMs,
    clock,
    random,
    logger: silentLogger,
    onChange(before, after) {
      const { key } = (after ?? before)!
      expect(told.get(key)).toEqual(before)
      if (after) told.set(key, after)
      else told.delete(key)
      heard.push(after ? `${key}=${after.value}` : `-${key}`)
    },
    onFresh: (isFresh) => heard.push(isFresh ? 'fresh' : 'stale'),
    onInterrupted: () => {},
    onListed: () => heard.push('listed'),
  })
  const put = (key: string, value: string) =>
    store.transact({ when: [], then: [{ kind: 'put', key, value }] })
  const remove = (key: string) => store.transact({ when: [], then: [{ kind: 'delete', key }] })
  const expectTruth = async (why?: string) => {
    const { entries } = await store.range({ prefix: '/v/' })
    const sorted = (map: ReadonlyMap<string, KeyValue>) =>
      [...map.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    expect(sorted(view.entries), why).toEqual(entries)
    expect(sorted(told), why).toEqual(entries)
  }
  return { clock, store, link, view, heard, put, remove, expectTruth }
}

describe('LiveView', () => {
  it('reads what is there, then follows', async () => {
    const { clock, put, heard, view, expectTruth, remove } = make()
    await put('/v/a', '1')
    await clock.settle()
    await put('/v/b', '1')
    await put('/w/c', '1')
    await remove('/v/a')
    await clock.settle()
    expect(heard).toEqual(['listed', 'fresh', '/v/a=1', '/v/b=1', '-/v/a'])
    expect(view).toMatchObject({ isListed: true, isFresh: true, listCount: 1 })
    await expectTruth()
  })

  it('goes on from the last change it heard after a cut, and hears every one in between', async () => {
    const { clock, store, put, remove, heard, view, expectTruth } = make()
    await clock.settle()
    await put('/v/a', '1')
    await clock.settle()
    heard.length = 0
    store.dropWatches()
    await put('/v/a', '2')
    await remove('/v/a')
    await put('/v/a', '3')
    await clock.advance(1000)
    expect(heard).toEqual(['stale', 'fresh', '/v/a=2', '-/v/a', '/v/a=3'])
    expect(view.listCount).toBe(1)
    await expectTruth()
  })

  it('keeps what it knows while the store is away, and catches up when it is back', async () => {
    const { clock, link, put, remove, view, expectTruth } = make()
    await put('/v/a', '1')
    await put('/v/b', '1')
    await clock.settle()
    link.setAvailable(false)
    await remove('/v/a')
    await put('/v/c', '1')
    await clock.advance(3_600_000)
    expect([...view.entries.keys()]).toEqual(['/v/a', '/v/b'])
    expect(view.isFresh).toBe(false)
    link.setAvailable(true)
    await clock.advance(1000)
    expect(view.isFresh).toBe(true)
    await expectTruth()
  })

  it('lists again and tells the difference when the history is gone', async () => {
    const { clock, store, put, remove, heard, view, expectTruth } = make()
    await put('/v/a', '1')
    await put('/v/b', '1')
    await clock.settle()
    heard.length = 0
    store.dropWatches()
    await remove('/v/a')
    await put('/v/b', '2')
    await put('/v/c', '1')
    store.compact()
    await clock.advance(1000)
    expect(heard).toEqual(['stale', '-/v/a', '/v/b=2', '/v/c=1', 'listed', 'fresh'])
    expect(view.listCount).toBe(2)
    await expectTruth()
  })

  it('notices that the store came back empty', async () => {
    const { clock, store, put, view, expectTruth } = make()
    for (const id of ['a', 'b', 'c']) await put(`/v/${id}`, '1')
    await clock.settle()
    store.wipe()
    await put('/v/new', '1')
    await clock.advance(2000)
    expect([...view.entries.keys()]).toEqual(['/v/new'])
    await expectTruth()
  })

  it('tries for ever to read what it never could read', async () => {
    const { clock, link, put, view, expectTruth } = make(seededRandom(1), 300_000, false)
    await put('/v/a', '1')
    await clock.advance(600_000)
    expect(view.isListed).toBe(false)
    link.setAvailable(true)
    await clock.advance(1000)
    await expectTruth()
  })

  it('reads everything again now and then, so that no mistake lives for ever', async () => {
    const { clock, view, heard, put } = make(seededRandom(1), 10_000)
    await put('/v/a', '1')
    await clock.advance(60_000)
    expect(view.listCount).toBeGreaterThanOrEqual(5)
    expect(view.listCount).toBeLessThanOrEqual(9)
    expect(heard.filter((each) => each.startsWith('/v/'))).toEqual(['/v/a=1'])
    expect(heard.filter((each) => each === 'stale')).toEqual([])
  })

  it('is silent once closed', async () => {
    const { clock, put, view, heard } = make()
    await clock.settle()
    void put('/v/a', '1')
    view.close()
    await clock.settle()
    expect(heard).toEqual(['listed', 'fresh'])
    expect(clock.pending).toBe(0)
  })

  it('ignores changes that it has heard of before', async () => {
    const { clock, link, put, heard } = make()
    const watch = link.watch.bind(link)
    link.watch = (range, from, handlers) => watch(range, Math.max(2, from - 3), handlers)
    await clock.settle()
    for (const value of ['1', '2', '3']) await put('/v/a', value)
    await clock.settle()
    link.dropWatches()
    await put('/v/a', '4')
    await clock.advance(1000)
    expect(heard.filter((each) => each.startsWith('/v'))).toEqual([
      '/v/a=1',
      '/v/a=2',
      '/v/a=3',
      '/v/a=4',
    ])
  })

  it('agrees with a fresh read after any history of changes and faults', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed)
      const world = make(random.fork(), 20_000)
      const { clock, store, link, put, remove } = world
      for (let step = 0; step < 80; step++) {
        const key = `/v/${random.int(6)}`
        const fault = random.int(30)
        if (fault === 0) link.setAvailable(random.chance(0.5))
        else if (fault === 1) link.setFault(random.pick(['hang', 'mute', undefined]))
        else if (fault === 2) store.dropWatches()
        else if (fault === 3) store.compact()
        else if (fault === 4 && random.chance(0.2)) store.wipe()
        else if (random.chance(0.6)) await put(key, String(step))
        else await remove(key)
        if (random.chance(0.4)) await clock.advance(random.int(400))
      }
      link.setFault(undefined)
      await clock.advance(3000)
      expect(world.view.isFresh, `seed ${seed}`).toBe(true)
      await world.expectTruth(`seed ${seed}`)
      world.view.close()
    }
  })
})
