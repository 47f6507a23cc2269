import { seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { Wheel, WheelEntry } from '../../src/socket/wheel.ts'
import { VirtualNetwork } from '../support/virtual-network.ts'

class Entry extends WheelEntry {
  readonly fired: number[] = []
  again: (() => void) | undefined

  override onDue(nowMs: number): void {
    this.fired.push(nowMs)
    this.again?.()
  }
}

test('fires each deadline once, never early, near ones within 2 ms, far ones within 130', () => {
  const { clock, time } = new VirtualNetwork()
  const random = seededRandom(2)
  const wheel = new Wheel(clock)
  const waits: { entry: Entry; due: number; setAt: number }[] = []
  for (let i = 0; i < 2000; i += 1) {
    time.run(time.now() + random.int(5))
    const entry = new Entry()
    const far = random.chance(0.3)
    const due = time.now() + (far ? random.int(40_000) : random.next() * 900)
    wheel.set(entry, due)
    waits.push({ entry, due, setAt: time.now() })
  }
  time.run(time.now() + 60_000)
  expect(wheel.size).toBe(0)
  for (const { entry, due, setAt } of waits) {
    expect(entry.fired).toHaveLength(1)
    expect(entry.fired[0]! - due).toBeGreaterThanOrEqual(0)
    expect(entry.fired[0]! - due).toBeLessThanOrEqual(due - setAt > 1000 ? 130 : 3)
  }
})

test('an entry may be moved, deleted, and set anew while it fires', () => {
  const { clock, time } = new VirtualNetwork()
  const wheel = new Wheel(clock)
  const [moved, deleted, repeated] = [new Entry(), new Entry(), new Entry()]
  wheel.set(moved, 500)
  wheel.set(moved, 50)
  wheel.set(deleted, 60)
  repeated.again = () => {
    wheel.delete(deleted)
    if (repeated.fired.length < 4) wheel.set(repeated, time.now() + 2000)
  }
  wheel.set(repeated, 20)
  time.run(20_000)
  expect([moved.fired.length, deleted.fired.length, repeated.fired.length]).toEqual([1, 0, 4])
})

test('catches up after a long sleep, with one look at each', () => {
  const { clock, time } = new VirtualNetwork()
  let now = 0
  const wheel = new Wheel({ ...clock, now: () => now })
  const entries = Array.from({ length: 100 }, (_, i) => {
    const entry = new Entry()
    wheel.set(entry, i * 37)
    return entry
  })
  now = 1e7
  time.run(1e6)
  expect(entries.every(({ fired }) => fired.length === 1 && fired[0] === 1e7)).toBe(true)
})

test('a deadline that is past fires at once; none is no deadline', () => {
  const { clock, time } = new VirtualNetwork(1, 5000)
  const wheel = new Wheel(clock)
  const [past, none] = [new Entry(), new Entry()]
  wheel.set(past, 10)
  wheel.set(none, Infinity)
  time.run(5002)
  expect([past.fired, none.fired]).toEqual([[expect.any(Number)], []])
  wheel.set(past, 9000)
  wheel.clear()
  time.run(10_000)
  expect(past.fired).toHaveLength(1)
})

test('waits for datagrams that have come and are not read yet, but not for ever', () => {
  const { clock, time } = new VirtualNetwork()
  let unread = 3
  const wheel = new Wheel(
    { ...clock, defer: (fn) => void time.setTimer(1, fn) },
    () => unread-- > 0,
  )
  const [brief, long] = [new Entry(), new Entry()]
  wheel.set(brief, 10)
  time.run(100)
  expect(brief.fired[0]).toBeGreaterThanOrEqual(13)
  expect(brief.fired[0]).toBeLessThan(17)
  unread = Infinity
  wheel.set(long, 200)
  time.run(400)
  expect(long.fired[0]).toBeGreaterThanOrEqual(300)
  expect(long.fired[0]).toBeLessThan(305)
})

test('of many deadlines at one time some have their turn, then the sockets theirs, until all are done', () => {
  const { clock, time } = new VirtualNetwork()
  let fired = 0
  const perTurn: number[] = []
  const wheel = new Wheel({
    ...clock,
    defer: (fn) =>
      void time.setTimer(0, () => {
        fired = 0
        fn()
        perTurn.push(fired)
      }),
  })
  const entries = Array.from({ length: 1000 }, (_, i) => {
    const entry = new Entry()
    entry.again = () => (fired += 1)
    wheel.set(entry, 40 + (i % 5))
    return entry
  })
  time.run(100)
  expect(entries.every((entry) => entry.fired.length === 1)).toBe(true)
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(64)
  expect(wheel.size).toBe(0)
})

test('what throws keeps no other entry from its deadline', () => {
  const { clock, time } = new VirtualNetwork()
  const wheel = new Wheel(clock)
  const [bad, good] = [new Entry(), new Entry()]
  bad.again = () => {
    throw new Error('thrown')
  }
  wheel.set(good, 10)
  wheel.set(bad, 10)
  expect(() => time.run(100)).toThrow('thrown')
  time.run(200)
  expect(good.fired).toHaveLength(1)
})

test('an entry that is set between a timer and its turn leaves no timer behind', () => {
  const { clock, time } = new VirtualNetwork()
  let timers = 0
  const deferred: (() => void)[] = []
  const wheel = new Wheel({
    ...clock,
    setTimer: (delayMs, fn) => {
      timers += 1
      const cancel = clock.setTimer(delayMs, () => {
        timers -= 1
        fn()
      })
      return () => {
        timers -= 1
        cancel()
      }
    },
    defer: (fn) => void deferred.push(fn),
  })
  const entry = new Entry()
  for (let round = 0; round < 50; round += 1) {
    wheel.set(entry, time.now() + 10)
    time.run(time.now() + 20)
    // The timer has fired; before its turn comes the wheel is emptied and filled again.
    wheel.delete(entry)
    wheel.set(entry, time.now() + 10)
    for (const fn of deferred.splice(0)) fn()
  }
  expect(timers).toBe(1)
})
