import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../src/index.ts'

const draw = (seed: number): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: 4 }, () => random.int(2 ** 32))
}

test('gives the same for the same seed, now and in every later version', () => {
  expect(draw(1)).toEqual([4_064_752_930, 1_169_703_512, 1_317_941_441, 2_551_256_358])
  expect([...seededRandom(1)(6)]).toEqual([34, 53, 71, 242, 88, 66])
})

test('gives something else for every other seed, beyond 32 bits and below zero too', () => {
  const seeds = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]
  expect(new Set(seeds.map((seed) => draw(seed).join())).size).toBe(seeds.length)
})

test('is spread evenly', () => {
  const random = seededRandom(42)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let round = 0; round < 100_000; round += 1) counts[random.int(10)]! += 1
  const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
  // 27.9 is passed once in a thousand seeds at 9 degrees of freedom.
  expect(chiSquare).toBeLessThan(27.9)
})

test('stays within its bounds', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, below) => {
      const random = seededRandom(seed)
      const value = random.int(below)
      expect(Number.isInteger(value) && value >= 0 && value < below).toBe(true)
      const fraction = random.next()
      expect(fraction >= 0 && fraction < 1).toBe(true)
    }),
    { seed: 3 },
  )
})

test('is a source of bytes of any length', () => {
  const random = seededRandom(5)
  for (const length of [0, 1, 3, 4, 5, 4_099]) expect(random(length)).toHaveLength(length)
  const counts = new Set(seededRandom(6)(4_096))
  expect(counts.size).toBe(256)
})

test('a fork goes its own way and does not disturb its parent afterwards', () => {
  const one = seededRandom(9)
  const two = seededRandom(9)
  const fork = one.fork()
  two.fork()
  const forked = [fork.next(), fork.next(), fork.next()]
  const after = [one.next(), one.next(), one.next()]
  expect(after).toEqual([two.next(), two.next(), two.next()])
  expect(forked).not.toEqual(after)
})

test('picks one of the items, and true as often as asked', () => {
  const random = seededRandom(11)
  const picked = new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b', 'c'])))
  expect([...picked].sort()).toEqual(['a', 'b', 'c'])
  const trues = Array.from({ length: 10_000 }, () => random.chance(0.2)).filter(Boolean).length
  expect(trues).toBeGreaterThan(1_800)
  expect(trues).toBeLessThan(2_200)
})

test('refuses seeds and bounds that are none', () => {
  expect(() => seededRandom(0.5)).toThrow('seed')
  for (const below of [0, -1, 1.5, 2 ** 32 + 1]) {
    expect(() => seededRandom(1).int(below)).toThrow('below')
  }
})
