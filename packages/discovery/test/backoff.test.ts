import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { Backoff } from '../src/backoff.ts'

describe('Backoff', () => {
  it('draws from the whole of a ceiling that doubles up to its end', () => {
    const ceiling = new Backoff({
      baseMs: 50,
      maxMs: 900,
      random: (bytes) => new Uint8Array(bytes).fill(255),
    })
    const delays = Array.from({ length: 7 }, () => Math.round(ceiling.nextMs()))
    expect(delays).toEqual([50, 100, 200, 400, 800, 900, 900])
    ceiling.reset()
    expect(Math.round(ceiling.nextMs())).toBe(50)
  })

  it('spreads many that failed together over the whole time', () => {
    const delays = Array.from({ length: 500 }, (_, seed) => {
      const backoff = new Backoff({ baseMs: 50, maxMs: 900, random: seededRandom(seed) })
      for (let i = 0; i < 10; i++) backoff.nextMs()
      return backoff.nextMs()
    })
    const tenths = Array.from({ length: 9 }, (_, i) =>
      delays.filter((delay) => Math.floor(delay / 100) === i),
    )
    for (const tenth of tenths) expect(tenth.length).toBeGreaterThan(30)
  })

  it('makes an even stream of a large fleet, whenever the server comes back', () => {
    const spreadMs = 9000
    for (const backAt of [20_000, 33_333, 100_000]) {
      const arrivals = Array.from({ length: 500 }, (_, seed) => {
        const random = seededRandom(seed)
        const backoff = new Backoff({ baseMs: 50, maxMs: 900, random, spreadMs: () => spreadMs })
        expect(backoff.nextMs()).toBeLessThanOrEqual(50)
        let at = 0
        while (at < backAt) at += backoff.nextMs()
        return at - backAt
      })
      for (let second = 0; second < 8; second++) {
        const count = arrivals.filter((at) => Math.floor(at / 1000) === second).length
        expect(count).toBeGreaterThan(30)
        expect(count).toBeLessThan(85)
      }
      expect(Math.max(...arrivals)).toBeLessThan(spreadMs * 1.1)
    }
  })
})
