import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Histogram } from '../src/index.ts'

const durations = fc.array(fc.double({ min: 0, max: 3_600_000, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
})

test('a percentile is within 4 % or 1 µs of the exact one, and never below it', () => {
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const sorted = [...values].sort((a, b) => a - b)
      const exact = sorted[Math.ceil(share * sorted.length) - 1]!
      const read = histogram.percentile(share)
      expect(read).toBeGreaterThanOrEqual(exact - 1e-9)
      expect(read).toBeLessThanOrEqual(exact * 1.04 + 0.001)
    }),
  )
})

test('two histograms add up to the histogram of all samples', () => {
  fc.assert(
    fc.property(durations, durations, (left, right) => {
      const [a, b, both] = [new Histogram(), new Histogram(), new Histogram()]
      for (const value of left) a.record(value)
      for (const value of right) b.record(value)
      for (const value of [...left, ...right]) both.record(value)
      a.add(b)
      expect(a.count).toBe(both.count)
      expect(a.maxMs).toBe(both.maxMs)
      expect(a.percentile(0.95)).toBe(both.percentile(0.95))
    }),
  )
})

test('a value that is no duration counts as zero', () => {
  const histogram = new Histogram()
  histogram.record(Number.NaN)
  histogram.record(-1)
  expect([histogram.count, histogram.maxMs, histogram.percentile(0.5)]).toEqual([2, 0, 0])
})
