import { SteppedClock } from '@rts/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeadlineWheel, Timed } from '../src/deadline-wheel.ts'

class Item extends Timed {
  readonly #onExpire: () => void
  expiredAt: number | undefined
  constructor(onExpire: () => void) {
    super()
    this.#onExpire = onExpire
  }
  override expire(): void {
    this.#onExpire()
  }
}

function setUp(): { clock: SteppedClock; wheel: DeadlineWheel; item: () => Item } {
  const clock = new SteppedClock({ startMs: 1000.3 })
  const wheel = new DeadlineWheel(clock)
  const item = (): Item => {
    const made: Item = new Item(() => {
      expect(made.expiredAt, 'expires once').toBeUndefined()
      made.expiredAt = clock.now()
    })
    return made
  }
  return { clock, wheel, item }
}

test('expires at the deadline or up to 16 ms after it, never before', async () => {
  const { clock, wheel, item } = setUp()
  const one = item()
  wheel.add(one, clock.now() + 3000)
  await clock.advance(2999)
  expect(one.expiredAt).toBeUndefined()
  await clock.advance(18)
  expect(one.expiredAt).toBeGreaterThanOrEqual(4000.3)
  expect(one.expiredAt).toBeLessThanOrEqual(4016.3)
})

test('what is removed never expires, and an empty wheel keeps no timer going', async () => {
  const { clock, wheel, item } = setUp()
  const one = item()
  wheel.add(one, clock.now() + 100)
  wheel.remove(one)
  wheel.remove(one)
  await clock.advance(1000)
  expect(one.expiredAt).toBeUndefined()
  expect([wheel.size, clock.pending]).toEqual([0, 0])
})

test('one timer serves any number of deadlines', async () => {
  const { clock, wheel, item } = setUp()
  for (let i = 0; i < 1000; i++) wheel.add(item(), clock.now() + 3000 + i)
  expect(clock.pending).toBe(1)
  await clock.advance(4100)
  expect(wheel.size).toBe(0)
})

test('agrees with a plain list for any deadlines, removals and pauses', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          delay: fc.oneof(
            fc.nat(40),
            fc.nat(20_000),
            fc.double({ min: 0, max: 9000, noNaN: true }),
          ),
          pause: fc.nat(3000),
          remove: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
      async (steps) => {
        const { clock, wheel, item } = setUp()
        const kept: { item: Item; deadline: number }[] = []
        for (const { delay, pause, remove } of steps) {
          const made = item()
          const deadline = clock.now() + delay
          wheel.add(made, deadline)
          if (remove) wheel.remove(made)
          else kept.push({ item: made, deadline })
          await clock.advance(pause)
          for (const one of kept) {
            if (one.deadline + 16 < clock.now()) expect(one.item.expiredAt).toBeDefined()
          }
        }
        await clock.advance(40_000)
        for (const one of kept) {
          expect(one.item.expiredAt).toBeGreaterThanOrEqual(one.deadline)
          expect(one.item.expiredAt! - one.deadline).toBeLessThanOrEqual(17)
        }
        expect(wheel.size).toBe(0)
      },
    ),
    { numRuns: 40, seed: 5 },
  )
})

test('a late clock expires all that passed meanwhile', async () => {
  const { clock, wheel, item } = setUp()
  const items = Array.from({ length: 50 }, item)
  for (const [i, one] of items.entries()) wheel.add(one, clock.now() + i * 500)
  clock.suspend(60_000)
  await clock.settle()
  expect(items.every((one) => one.expiredAt !== undefined)).toBe(true)
})

test('an item may add and remove others while it expires', async () => {
  const { clock, wheel } = setUp()
  const seen: string[] = []
  const second = new Item(() => seen.push('second'))
  const third = new Item(() => seen.push('third'))
  const first = new Item(() => {
    seen.push('first')
    wheel.remove(third)
    wheel.add(second, clock.now() + 50)
  })
  wheel.add(first, clock.now() + 100)
  wheel.add(third, clock.now() + 500)
  await clock.advance(1000)
  expect(seen).toEqual(['first', 'second'])
})

test('what is added for a time counts from the end of the turn, with one look at the clock for all', async () => {
  const { clock, wheel, item } = setUp()
  const items = Array.from({ length: 100 }, item)
  for (const [i, one] of items.entries()) wheel.addFor(one, 100 + i)
  wheel.remove(items[7]!)
  wheel.remove(items[7]!)
  expect([wheel.size, clock.pending]).toEqual([99, 1])
  let looks = 0
  const now = clock.now.bind(clock)
  clock.now = () => {
    looks += 1
    return now()
  }
  await clock.settle()
  expect(looks).toBeLessThan(10)
  clock.now = now
  await clock.advance(99)
  expect(items.some((one) => one.expiredAt !== undefined)).toBe(false)
  await clock.advance(200)
  for (const [i, one] of items.entries()) {
    if (i === 7) expect(one.expiredAt).toBeUndefined()
    else expect(one.expiredAt).toBeGreaterThanOrEqual(1100.3 + i)
  }
  expect([wheel.size, clock.pending]).toEqual([0, 0])
})

test('what was taken back in the turn it was added may be added again', async () => {
  const { clock, wheel, item } = setUp()
  const [one, other] = [item(), item()]
  wheel.addFor(one, 50)
  wheel.addFor(other, 50)
  wheel.remove(one)
  wheel.addFor(one, 500)
  await clock.advance(100)
  expect([one.expiredAt, other.expiredAt === undefined]).toEqual([undefined, false])
  await clock.advance(500)
  expect(one.expiredAt).toBeDefined()
})

test('a turn that takes long makes deadlines late, not early', async () => {
  const { clock, wheel, item } = setUp()
  const one = item()
  wheel.addFor(one, 50)
  clock.suspend(200)
  await clock.advance(40)
  expect(one.expiredAt).toBeUndefined()
  await clock.advance(30)
  expect(one.expiredAt).toBeDefined()
})
