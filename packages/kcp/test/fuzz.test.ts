import { describe, expect, test } from 'vitest'
import { fuzzCore } from './support/fuzz.ts'
import { STARTS } from './support/wire.ts'

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  test('any bytes are refused whole or make sense: no throw, no growth, no change by what is refused', () => {
    const report = fuzzCore({ start, seed: 7, datagrams: 350_000 })
    expect(report.datagrams).toBe(350_000)
    // Both ways must be common, or nothing was tried.
    expect(report.applied).toBeGreaterThan(50_000)
    expect(report.refused).toBeGreaterThan(50_000)
    expect(report.largestHeldBytes).toBeLessThan(2 * 64 * 2048)
    expect(report.largestWaitSnd).toBeLessThanOrEqual(64)
    expect(report.freeBytes, 'the whole memory ever taken').toBeLessThan(2 ** 21)
  })
})
