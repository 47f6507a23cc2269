import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkLoad, decodeLoad, encodeLoad, isLoad, roundLoad } from '../src/load.ts'

const loads = fc.record({
  pressure: fc.double({ min: 0, max: 1, noNaN: true }),
  delayMs: fc.double({ min: 0, max: 6000, noNaN: true }),
  cpu: fc.double({ min: 0, max: 60, noNaN: true }),
  inFlight: fc.nat(),
  sessions: fc.nat(),
})

describe('a load', () => {
  it('comes over a link as it was, to within half a step of each field', () => {
    fc.assert(
      fc.property(loads, (load) => {
        const read = decodeLoad(encodeLoad(load))!
        expect(Math.abs(read.pressure - load.pressure)).toBeLessThanOrEqual(0.0025 + 1e-9)
        expect(Math.abs(read.delayMs! - load.delayMs)).toBeLessThanOrEqual(0.05 + 1e-9)
        expect(Math.abs(read.cpu! - load.cpu)).toBeLessThanOrEqual(0.0005 + 1e-9)
        expect(read).toMatchObject({ inFlight: load.inFlight, sessions: load.sessions })
      }),
    )
  })

  it('is cut to what the wire holds, and any other bytes are none', () => {
    const huge = { pressure: 9, delayMs: 1e9, cpu: 1e9, inFlight: 1e12, sessions: 1e12 }
    expect(decodeLoad(encodeLoad(huge))).toMatchObject({ sessions: 0xffff_ffff, delayMs: 6553.5 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const load = decodeLoad(bytes)
        expect(load === undefined || isLoad(load)).toBe(true)
        if (bytes[0] !== 1 || bytes.length < 14) expect(load).toBeUndefined()
      }),
    )
  })

  it('names the field that is wrong', () => {
    expect(() => checkLoad({ pressure: Number.NaN })).toThrow('pressure of a load')
    expect(() => checkLoad({ pressure: 0, sessions: -1 })).toThrow('sessions of a load')
    for (const no of [undefined, null, 7, {}, { pressure: '1' }, { pressure: 0, cpu: -1 }]) {
      expect(isLoad(no)).toBe(false)
    }
    const noisy = { pressure: 0.123456, delayMs: 3.7, cpu: 0.3333 }
    expect(roundLoad(noisy)).toEqual({ pressure: 0.12, delayMs: 4, cpu: 0.33 })
  })
})
