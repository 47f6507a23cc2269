import { SteppedClock, seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RetryTokens, type TokenSubject } from '../../src/socket/retry-tokens.ts'

const subject: TokenSubject = {
  address: '10.0.0.7',
  port: 7000,
  nonce: new Uint8Array(8).fill(1),
  key: new Uint8Array(32).fill(2),
}
const tokensAt = (clock = new SteppedClock()): RetryTokens =>
  new RetryTokens(clock, seededRandom(1)(32))

describe('a token', () => {
  test('is good for what it was made for, and for nothing that differs in one bit', () => {
    const tokens = tokensAt()
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const subjects = fc.record({
      address: fc.oneof(fc.ipV4(), fc.ipV6()),
      port: fc.integer({ min: 1, max: 65_535 }),
      nonce: bytes(8),
      key: fc.uint8Array({ maxLength: 900 }),
    })
    const flipped = (from: Uint8Array, bit: number): Uint8Array => {
      const copy = from.slice()
      copy[(bit >> 3) % copy.length]! ^= 1 << (bit & 7)
      return copy
    }
    const property = fc.property(subjects, fc.nat(), (made, bit) => {
      const token = tokens.make(made)
      expect(token).toHaveLength(16)
      expect(tokens.check(token, made)).toBe(true)
      const others: TokenSubject[] = [
        { ...made, address: `${made.address}0` },
        { ...made, port: made.port ^ (1 << (bit % 16)) },
        { ...made, nonce: flipped(made.nonce, bit) },
        { ...made, key: Uint8Array.of(...made.key, 0) },
        ...(made.key.length === 0 ? [] : [{ ...made, key: flipped(made.key, bit) }]),
      ]
      for (const other of others) expect(tokens.check(token, other)).toBe(false)
      expect(tokens.check(flipped(token, bit), made)).toBe(false)
    })
    fc.assert(property, { numRuns: 300 })
  })

  test('has two halves that tell nothing of each other', () => {
    const halves = Array.from({ length: 50 }, (_, index) => {
      const token = Buffer.from(tokensAt().make({ ...subject, port: index + 1 }))
      return [token.subarray(0, 8).toString('hex'), token.subarray(8).toString('hex')]
    })
    expect(new Set(halves.flat()).size).toBe(100)
  })

  test.each([0, 15, 17, 400])('of %i bytes is none', (length) => {
    expect(tokensAt().check(new Uint8Array(length), subject)).toBe(false)
  })

  test('is good for one period after the one it was made in, and no longer', async () => {
    const clock = new SteppedClock()
    const tokens = tokensAt(clock)
    const token = tokens.make(subject)
    await clock.advance(9999)
    expect(tokens.check(token, subject)).toBe(true)
    await clock.advance(1)
    expect(tokens.check(token, subject)).toBe(false)
    const later = tokens.make(subject)
    await clock.advance(60_000)
    expect(tokens.check(later, subject)).toBe(false)
  })

  test('is good for all who have the key and about the time, and for nobody with another key', async () => {
    const [ours, theirs] = [new SteppedClock(), new SteppedClock()]
    await ours.advance(4990)
    await theirs.advance(5010)
    const key = seededRandom(1)(32)
    const token = new RetryTokens(ours, key).make(subject)
    expect(new RetryTokens(theirs, key).check(token, subject)).toBe(true)
    expect(new RetryTokens(theirs, seededRandom(2)(32)).check(token, subject)).toBe(false)
  })

  test('of an address of any length is one', () => {
    const tokens = tokensAt()
    const long = { ...subject, address: 'é'.repeat(5000) }
    expect(tokens.check(tokens.make(long), long)).toBe(true)
  })
})
