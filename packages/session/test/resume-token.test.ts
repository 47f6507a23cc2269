import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openToken, sealRecord, type ResumeRecord } from '../src/resume-token.ts'
import { testSealer } from './support/world.ts'

const sealer = testSealer()
const records: fc.Arbitrary<ResumeRecord> = fc.record({
  sessionId: fc.string({ unit: 'grapheme', maxLength: 40 }),
  account: fc.string({ unit: 'grapheme', maxLength: 40 }),
  linkEpoch: fc.nat(0xffffffff),
  run: fc.nat(2 ** 48 - 1),
  expiresAt: fc.nat(2 ** 48 - 1),
})

test('a record opens as it was sealed', () => {
  fc.assert(
    fc.property(records, (record) => {
      expect(openToken(sealer, sealRecord(sealer, record))).toEqual(record)
    }),
    { seed: 41 },
  )
})

test('sealed bytes that are no record open as nothing, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), records, fc.nat(100), (noise, record, cut) => {
      const plain = testSealer(0)
      expect(openToken(sealer, sealer.seal(noise))).toBeUndefined()
      const bytes = plain.open(sealRecord(plain, record)) ?? noise
      const shorter = bytes.subarray(0, Math.min(cut, bytes.length - 1))
      expect(openToken(plain, plain.seal(shorter))).toBeUndefined()
      expect(openToken(plain, plain.seal(new Uint8Array([...bytes, 0])))).toBeUndefined()
    }),
    { seed: 42 },
  )
})

test('a sealer that throws is one that refuses', () => {
  const throwing = {
    seal: (record: Uint8Array) => record,
    open: () => {
      throw new Error('bad decrypt')
    },
  }
  expect(openToken(throwing, new Uint8Array(50))).toBeUndefined()
})

test('a sealer that blows records up is refused when it seals', () => {
  const wasteful = { seal: () => new Uint8Array(3000), open: () => undefined }
  const record = { sessionId: 'a', account: 'b', linkEpoch: 1, run: 1, expiresAt: 1 }
  expect(() => sealRecord(wasteful, record)).toThrow(RangeError)
})
