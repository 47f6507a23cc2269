import { seededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { GENERATION_MS, RecentHashes } from '../../src/socket/flood/recent-hashes.ts'

type Hash = readonly [low: number, high: number]
const BLOCKS = 2 ** 14

/** Signed 32-bit halves, as the hash function gives them. */
function hashes(seed: number, count: number): Hash[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => [random.int(2 ** 32) | 0, random.int(2 ** 32) | 0])
}

/** The chance that four bits of a block are set: over how many of `added` are in it, which is Poisson. */
function falseRate(added: number): number {
  const mean = added / BLOCKS
  let rate = 0
  let chance = Math.exp(-mean)
  for (let count = 1; count < 10 * mean + 50; count += 1) {
    chance *= mean / count
    rate += chance * (1 - (1 - 1 / 512) ** (4 * count)) ** 4
  }
  return rate
}

describe('recent hashes', () => {
  test('what was added is known for a generation, whenever it was, and forgotten after two', () => {
    let wrong = 0
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seededRandom(seed)
      const startMs = random.int(2 ** 32)
      const recent = new RecentHashes(startMs)
      const added: { readonly hash: Hash; readonly atMs: number }[] = []
      let nowMs = startMs
      for (const hash of hashes(seed, 200)) {
        nowMs += random.int(random.chance(0.02) ? 10_000 : 150)
        recent.add(...hash, nowMs)
        added.push({ hash, atMs: nowMs })
        for (const { hash, atMs } of added) {
          const age = nowMs - atMs
          const isKnown = recent.has(...hash, nowMs)
          if (isKnown ? age >= 2 * GENERATION_MS : age < GENERATION_MS) wrong += 1
        }
      }
    }
    expect(wrong).toBe(0)
  })

  test.each([80_000, 400_000, 700_000])(
    'of what was not added among %i it knows as few as computed',
    (count) => {
      const recent = new RecentHashes(0)
      for (const [low, high] of hashes(1, count)) recent.add(low, high, 0)
      for (const nowMs of [0, GENERATION_MS]) {
        const strangers = hashes(2, 300_000)
        const known = strangers.filter(([low, high]) => recent.has(low, high, nowMs)).length
        const expected = falseRate(count) * strangers.length
        expect(Math.abs(known - expected)).toBeLessThan(0.1 * expected + 4 * Math.sqrt(expected))
      }
    },
  )

  test('the same half twice, zeros and ones are hashes like any other', () => {
    const recent = new RecentHashes(0)
    const odd: Hash[] = [
      [0, 0],
      [-1, -1],
      [7, 7],
      [-(2 ** 31), 2 ** 31 - 1],
    ]
    for (const [low, high] of odd) {
      expect(recent.has(low, high, 1)).toBe(false)
      recent.add(low, high, 1)
      expect(recent.has(low, high, 1)).toBe(true)
    }
  })
})
