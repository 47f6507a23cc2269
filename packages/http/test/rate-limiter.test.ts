import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../src/rate-limiter.ts'

describe('RateLimiter', () => {
  it('lets a burst through, then one for each share of a minute', () => {
    const limiter = new RateLimiter({ burst: 3, perMinute: 6 })
    expect([0, 0, 0, 0].map(() => limiter.take('a', 0))).toEqual([0, 0, 0, 10_000])
    expect(limiter.take('a', 9_999)).toBe(1)
    expect(limiter.take('a', 10_000)).toBe(0)
    expect(limiter.take('a', 10_000)).toBe(10_000)
  })

  it('does not let one client pay for another', () => {
    const limiter = new RateLimiter({ burst: 1, perMinute: 1 })
    expect(limiter.take('a', 0)).toBe(0)
    expect(limiter.take('a', 0)).toBe(60_000)
    expect(limiter.take('b', 0)).toBe(0)
  })

  it('saves up no more than the burst', () => {
    const limiter = new RateLimiter({ burst: 2, perMinute: 60 })
    limiter.take('a', 0)
    expect([0, 0, 0].map(() => limiter.take('a', 1e9))).toEqual([0, 0, 1_000])
  })

  it('lets a client that waits as long as it was told go on', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.nat(5_000), { maxLength: 100 }),
        (burst, perMinute, pauses) => {
          const limiter = new RateLimiter({ burst, perMinute })
          let now = 0
          let passed = 0
          for (const pause of pauses) {
            now += pause
            const wait = limiter.take('a', now)
            if (wait === 0) passed += 1
            else {
              expect(limiter.take('a', now + wait + 1)).toBe(0)
              now += wait + 1
              passed += 1
            }
          }
          expect(passed).toBeLessThanOrEqual(burst + (now / 60_000) * perMinute + 1e-6)
        },
      ),
      { seed: 51 },
    )
  })

  it('remembers a bounded number of clients, those it saw last', () => {
    const limiter = new RateLimiter({ burst: 1, perMinute: 1 })
    limiter.take('first', 0)
    limiter.take('second', 0)
    for (let client = 0; client < 9_999; client += 1) {
      if (client % 100 === 0) limiter.take('first', 0)
      limiter.take(`c${client}`, 0)
    }
    expect(limiter.size).toBe(10_000)
    expect(limiter.take('first', 0)).toBeGreaterThan(0)
    expect(limiter.take('second', 0)).toBe(0)
  })

  it('names an option it cannot work with', () => {
    expect(() => new RateLimiter({ burst: 0, perMinute: 1 })).toThrow(/burst .* not 0/)
    expect(() => new RateLimiter({ burst: 1, perMinute: 0 })).toThrow(/perMinute .* not 0/)
  })
})
