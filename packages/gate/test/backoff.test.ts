import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { backoffMs, randomUnit } from '../src/backoff.ts'

describe('backoffMs', () => {
  it('spreads the first try over the whole base delay', () => {
    const random = seededRandom(1)
    const delays = Array.from({ length: 1000 }, () => backoffMs(0, 100, 5000, random))
    expect(Math.min(...delays)).toBeLessThan(5)
    expect(Math.max(...delays)).toBeGreaterThan(95)
    expect(Math.max(...delays)).toBeLessThan(100)
  })

  it('doubles up to the ceiling, each between half and all of it', () => {
    const random = seededRandom(1)
    for (const [failures, ceiling] of [
      [1, 200],
      [2, 400],
      [5, 3200],
      [6, 5000],
      [10_000, 5000],
    ] as const) {
      const delay = backoffMs(failures, 100, 5000, random)
      expect(delay).toBeGreaterThanOrEqual(ceiling / 2)
      expect(delay).toBeLessThanOrEqual(ceiling)
    }
  })

  it('draws its unit below 1 from whatever bytes there are', () => {
    expect(randomUnit(() => new Uint8Array(4).fill(255))).toBeLessThan(1)
    expect(randomUnit(() => new Uint8Array(4))).toBe(0)
  })
})
