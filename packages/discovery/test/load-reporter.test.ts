import { SteppedClock, seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { Load } from '../src/load.ts'
import { classOf, LOAD_CLASSES, LoadReporter, type LoadVia } from '../src/load-reporter.ts'
import { game, World } from './world.ts'

function make(via: LoadVia, seed = 1) {
  const clock = new SteppedClock()
  const written: { at: number; load: Load }[] = []
  const reporter = new LoadReporter({
    via,
    intervalMs: 5000,
    clock,
    random: seededRandom(seed),
    write: async (load) => {
      written.push({ at: clock.now(), load })
      throw new Error('what the store says is of no interest')
    },
  })
  /** A load each second. */
  const run = async (seconds: number, pressureAt: (second: number) => number) => {
    for (let second = 0; second < seconds; second += 1) {
      reporter.report({ pressure: pressureAt(second), sessions: second })
      await clock.advance(1000)
    }
  }
  return { clock, reporter, written, run }
}

describe('a load that links carry', () => {
  it('costs the store one write when it is steady, however it trembles around the edge of a class', async () => {
    const { written, run } = make('links')
    await run(600, (second) => 0.5 + (second % 2 === 0 ? 0.03 : -0.03))
    expect(written).toHaveLength(1)
    expect(written[0]!.load).toEqual({ pressure: 4.5 / LOAD_CLASSES })
  })

  it('costs at most one write in ten seconds at the worst, and ends with the right class', async () => {
    const { written, run } = make('links')
    await run(600, (second) => second % 2)
    expect(written.length).toBeLessThanOrEqual(60)
    for (const [i, { at }] of written.slice(1).entries()) {
      expect(at - written[i]!.at).toBeGreaterThanOrEqual(10_000)
    }
    await run(15, () => 0.3)
    expect(written.at(-1)!.load).toEqual({ pressure: 2.5 / LOAD_CLASSES })
  })

  it('leaves a class half a class beyond its edge', () => {
    expect(classOf(0.3, undefined)).toBe(2)
    expect(classOf(0.43, 2)).toBe(2)
    expect(classOf(0.44, 2)).toBe(3)
    expect(classOf(0.19, 2)).toBe(2)
    expect(classOf(0.18, 2)).toBe(1)
    expect(classOf(7, undefined)).toBe(LOAD_CLASSES - 1)
  })
})

describe('a load that the store carries', () => {
  it('is written at intervals that differ, and not when it is the same', async () => {
    const { written, run, reporter, clock } = make('etcd')
    await run(300, (second) => second / 300)
    expect(written.length).toBeGreaterThan(45)
    expect(written.length).toBeLessThan(75)
    const gaps = written.slice(1).map(({ at }, i) => at - written[i]!.at)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(7000)
    expect(new Set(gaps).size).toBeGreaterThan(1)
    const before = written.length
    for (let second = 0; second < 60; second += 1) {
      reporter.report({ pressure: 0.25 })
      await clock.advance(1000)
    }
    expect(written.length).toBeLessThanOrEqual(before + 2)
    reporter.stop()
    reporter.report({ pressure: 1 })
    await clock.advance(60_000)
    expect(written.length).toBeLessThanOrEqual(before + 2)
  })

  it('is not written by all nodes at once that started together', async () => {
    const first = new Set<number>()
    for (let seed = 0; seed < 20; seed += 1) {
      const { written, run } = make('etcd', seed)
      await run(7, () => 0.5)
      first.add(Math.floor(written[0]!.at / 500))
    }
    expect(first.size).toBeGreaterThan(5)
  })
})

describe('a registration that reports its load', () => {
  it('shows it to directories, through the store', async () => {
    const world = new World()
    const { registry } = world.node({ loadVia: 'etcd', loadIntervalMs: 2000 })
    const registration = await world.run(registry.register(game('game_1')))
    const watcher = world.node().registry
    const directory = watcher.watch('game')
    await world.run(directory.ready())
    registration.reportLoad({ pressure: 0.5, sessions: 40 })
    expect(() => registration.reportLoad({ pressure: -1 })).toThrow(RangeError)
    await world.clock.advance(3000)
    expect(directory.loadOf('game_1')!.load).toEqual({ pressure: 0.5, sessions: 40 })
    expect(registry.stats().loadWrites).toBe(1)
    await world.run(registration.update({ map: 'dust' }))
    expect(registration.record.load).toEqual({ pressure: 0.5, sessions: 40 })
    await world.stop()
  })

  it('tells whom it is linked to through a beat, whose bytes are enough', async () => {
    const world = new World()
    const { registry } = world.node()
    await world.run(registry.register(game('game_1')))
    const watcher = world.node().registry
    const directory = watcher.watch('game')
    await world.run(directory.ready())
    const beat = registry.loadBeat({ read: () => ({ pressure: 0.9, sessions: 7 }) })
    const from = { role: 'game', nodeId: 'game_1' }
    const heard = watcher.loadBeat({ read: () => ({ pressure: 0 }) })
    heard.read(from, beat.write()!)
    heard.read(from, Uint8Array.of(1, 2, 3))
    heard.read({ role: 'lobby', nodeId: 'x' }, beat.write()!)
    await world.clock.advance(800)
    expect(directory.loadOf('game_1')).toMatchObject({ load: { pressure: 0.9, sessions: 7 } })
    expect(directory.stats().loadReports).toBe(1)
    // The store heard of the class, once.
    expect(directory.get('game_1')!.load).toEqual({ pressure: 7.5 / 8 })
    expect(registry.stats().loadWrites).toBe(1)
    await world.stop()
  })
})
