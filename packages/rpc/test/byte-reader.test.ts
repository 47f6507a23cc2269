import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../src/byte-reader.ts'
import { concat, encodeString, putU32, putVarint, varintSize } from '../src/byte-writer.ts'
import { unhex } from './support.ts'

const u32 = fc.integer({ min: 0, max: 0xffffffff })

test('reads back varints of every size, in exactly the bytes they were said to take', () => {
  fc.assert(
    fc.property(u32, (value) => {
      const out = new Uint8Array(8)
      const end = putVarint(out, 0, value)
      const reader = new ByteReader().reset(out.subarray(0, end))
      expect(end).toBe(varintSize(value))
      expect(reader.varint()).toBe(value)
      expect([reader.bad, reader.at]).toEqual([false, end])
    }),
    { seed: 1 },
  )
})

test('reads back fixed numbers and strings, ASCII or not, short or long', () => {
  fc.assert(
    fc.property(u32, fc.string({ unit: 'grapheme', maxLength: 100 }), (value, text) => {
      const number = new Uint8Array(4)
      putU32(number, 0, value)
      const reader = new ByteReader().reset(concat(number, encodeString(text)))
      expect(reader.u32()).toBe(value)
      expect(reader.string(1000)).toBe(text)
      expect(reader.bad).toBe(false)
    }),
    { seed: 2 },
  )
})

test('says bad, and gives zeros, past the end and for numbers above 32 bits', () => {
  expect(new ByteReader().reset(unhex('01 02 03')).u32()).toBe(0)
  for (const bytes of [
    '',
    '80',
    '80 80',
    'ff ff ff ff ff',
    'ff ff ff ff 1f',
    '80 80 80 80 80 01',
  ]) {
    const reader = new ByteReader().reset(unhex(bytes))
    expect([reader.varint(), reader.bad], bytes).toEqual([0, true])
  }
})

test('refuses a string longer than its limit or than what is there', () => {
  const tooLong = new ByteReader().reset(encodeString('abcdef'))
  expect([tooLong.string(5), tooLong.bad]).toEqual(['', true])
  const cut = new ByteReader().reset(unhex('05 61 62'))
  expect([cut.string(100), cut.bad]).toEqual(['', true])
})
