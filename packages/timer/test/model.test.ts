import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '@rts/testing'
import { Timers, type Clock } from '../src/index.ts'

/** A synchronous clock for one native timer at a time, which is all that `Timers` may use. */
class ManualClock implements Clock {
  #now = 0
  #armed: { atMs: number; fn: () => void } | undefined

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#now
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    if (this.#armed !== undefined) throw new Error('a second native timer was armed')
    const armed = { atMs: this.#now + delayMs, fn }
    this.#armed = armed
    return () => {
      if (this.#armed === armed) this.#armed = undefined
    }
  }

  defer(): void {}

  /** Fires on the way what comes due; with `late` only when the whole time has passed. */
  advance(ms: number, late: boolean): void {
    const target = this.#now + ms
    if (late) this.#now = target
    while (this.#armed !== undefined && this.#armed.atMs <= target) {
      const { atMs, fn } = this.#armed
      this.#armed = undefined
      this.#now = Math.max(this.#now, atMs)
      fn()
    }
    this.#now = target
  }
}

interface Subject {
  now(): number
  after(delayMs: number, fn: () => void, key?: string): unknown
  every(intervalMs: number, fn: () => void, key: string | undefined, times: number): unknown
  cancelId(id: never): number
  cancelKey(key: string): number
  advance(ms: number, late: boolean): void
  pending(): number
}

function wheelSubject(): Subject {
  const clock = new ManualClock()
  const timers = new Timers({ clock })
  return {
    now: () => clock.now(),
    after: (delayMs, fn, key) => timers.after(delayMs, fn, key === undefined ? {} : { key }),
    every: (intervalMs, fn, key, times) =>
      timers.every(intervalMs, fn, key === undefined ? { times } : { key, times }),
    cancelId: (id) => timers.cancel(id),
    cancelKey: (key) => timers.cancel(key),
    advance: (ms, late) => clock.advance(ms, late),
    pending: () => timers.pending,
  }
}

/** The same behaviour by a list that is searched each time. */
function listSubject(): Subject {
  interface Item {
    first: number
    due: number
    order: number
    interval: number
    left: number
    key: string | undefined
    fn: () => void
  }
  let now = 0
  let order = 0
  let items: Item[] = []
  const add = (
    first: number,
    interval: number,
    left: number,
    key: string | undefined,
    fn: () => void,
  ) => {
    const item = { first, due: first, order: (order += 1), interval, left, key, fn }
    items.push(item)
    return item
  }
  const drop = (matches: (item: Item) => boolean): number => {
    const before = items.length
    items = items.filter((item) => !matches(item))
    return before - items.length
  }
  return {
    now: () => now,
    after: (delayMs, fn, key) => add(now + delayMs, 0, 1, key, fn),
    every: (intervalMs, fn, key, times) => add(now + intervalMs, intervalMs, times, key, fn),
    cancelId: (id) => drop((item) => item === id),
    cancelKey: (key) => drop((item) => item.key === key),
    advance: (ms, late) => {
      const target = now + ms
      if (late) now = target
      for (;;) {
        const item = items
          .filter(({ due }) => due <= target)
          .sort((a, b) => a.due - b.due || a.order - b.order)[0]
        if (item === undefined) break
        now = Math.max(now, item.due)
        item.left -= 1
        if (item.left === 0) drop((other) => other === item)
        else {
          item.order = order += 1
          item.due += item.interval
          if (item.due <= now)
            item.due =
              item.first + (Math.floor((now - item.first) / item.interval) + 1) * item.interval
        }
        item.fn()
      }
      now = target
    },
    pending: () => items.length,
  }
}

const DELAYS = [
  0,
  1,
  2,
  5,
  63,
  64,
  65,
  100,
  4095,
  4096,
  5000,
  262_144,
  2 ** 30 - 1,
  2 ** 31,
  2 ** 40,
]
const KEYS = [undefined, undefined, 'a', 'b', 'c']

/** Runs a random program; timers run parts of it too. Returns all that can be seen from outside. */
function run(subject: Subject, seed: number, steps: number): string[] {
  const log: string[] = []
  const ids: unknown[] = []
  const pick = <T>(from: readonly T[], random: { int(below: number): number }): T =>
    from[random.int(from.length)]!
  const act = (random: { int(below: number): number }): void => {
    const label = ids.length
    const fire = (): void => {
      log.push(`${label}@${subject.now()}`)
      const own = seededRandom(seed * 1_000_003 + label * 31 + log.length)
      if (own.int(3) === 0) act(own)
    }
    const delay = random.int(2) === 0 ? random.int(300) : pick(DELAYS, random) + random.int(3)
    switch (random.int(6)) {
      case 0:
      case 1:
      case 2:
        ids.push(subject.after(delay, fire, pick(KEYS, random)))
        break
      case 3:
        ids.push(subject.every(delay + 1, fire, pick(KEYS, random), 1 + random.int(4)))
        break
      case 4:
        log.push(`key ${subject.cancelKey(pick(['a', 'b', 'c', 'd'], random))}`)
        break
      default:
        if (ids.length > 0) log.push(`id ${subject.cancelId(pick(ids, random) as never)}`)
    }
  }
  const random = seededRandom(seed)
  for (let step = 0; step < steps; step += 1) {
    if (random.int(3) > 0) act(random)
    else {
      const ms = random.int(4) === 0 ? pick(DELAYS, random) : random.int(200)
      subject.advance(ms, random.int(5) === 0)
    }
    log.push(`${subject.pending()} pending`)
  }
  subject.advance(2 ** 42, false)
  log.push(`${subject.pending()} pending`)
  return log
}

test('does what a sorted list would do, with changes inside callbacks too', () => {
  let events = 0
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (seed) => {
      const expected = run(listSubject(), seed, 150)
      events += expected.length
      expect(run(wheelSubject(), seed, 150)).toEqual(expected)
    }),
    { numRuns: 150, seed: 20_260_101 },
  )
  expect(events).toBeGreaterThan(20_000)
})
