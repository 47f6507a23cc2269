import { seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenSealer } from '../src/index.ts'

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const record = new TextEncoder().encode('session 1 of account a')

describe('tokenSealer', () => {
  it('opens what it sealed, and another sealer of the same key does too', () => {
    const token = tokenSealer(key(1), seededRandom(1)).seal(record)
    expect(tokenSealer(key(1), seededRandom(2)).open(token)).toEqual(record)
  })

  it('shows nothing of the record in the token and never seals the same way twice', () => {
    const sealer = tokenSealer(key(1), seededRandom(1))
    const [a, b] = [sealer.seal(record), sealer.seal(record)]
    expect(a).not.toEqual(b)
    expect(Buffer.from(a).includes(Buffer.from('account'))).toBe(false)
  })

  it('opens tokens of every key it holds and seals with the first', () => {
    const old = tokenSealer(key(1), seededRandom(1))
    const both = tokenSealer([key(2), key(1)], seededRandom(1))
    expect(both.open(old.seal(record))).toEqual(record)
    expect(old.open(both.seal(record))).toBeUndefined()
    expect(tokenSealer(key(2), seededRandom(1)).open(both.seal(record))).toEqual(record)
  })

  it('answers undefined for a token with any byte changed', () => {
    const sealer = tokenSealer(key(1), seededRandom(1))
    const token = sealer.seal(record)
    for (let index = 0; index < token.length; index += 1) {
      const changed = Uint8Array.from(token)
      changed[index]! ^= 1
      expect(sealer.open(changed)).toBeUndefined()
    }
  })

  it('answers undefined for any other bytes and never throws', () => {
    const sealer = tokenSealer(key(1), seededRandom(1))
    const token = sealer.seal(record)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(token.length - 1), (bytes, cut) => {
        expect(sealer.open(bytes)).toBeUndefined()
        expect(sealer.open(token.subarray(0, cut))).toBeUndefined()
        const mixed = Uint8Array.from([...token.subarray(0, cut), ...bytes])
        if (Buffer.compare(mixed, token) !== 0) expect(sealer.open(mixed)).toBeUndefined()
      }),
      { seed: 7 },
    )
    expect(sealer.open(new Uint8Array(1_000_000))).toBeUndefined()
  })

  it('refuses keys that are not 32 bytes and an empty list of them', () => {
    expect(() => tokenSealer(new Uint8Array(31), seededRandom(1))).toThrow(RangeError)
    expect(() => tokenSealer([], seededRandom(1))).toThrow(RangeError)
  })
})
