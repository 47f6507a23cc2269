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
})
