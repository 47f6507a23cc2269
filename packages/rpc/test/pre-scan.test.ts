import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeBehind } from '../src/codec.ts'
import { DECODE_LIMITS, type DecodeLimits } from '../src/decode-limits.ts'
import { preScan } from '../src/pre-scan.ts'
import { unhex } from './support.ts'

const scan = (bytes: Uint8Array, limits?: Partial<DecodeLimits>): string | undefined =>
  preScan(bytes, 0, bytes.length, { ...DECODE_LIMITS, ...limits })
const scanHex = (text: string, limits?: Partial<DecodeLimits>): string | undefined =>
  scan(unhex(text), limits)
const encode = (value: unknown): Uint8Array => new Uint8Array(encodeBehind(0, value))
const nest = (depth: number): unknown => {
  let value: unknown = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}

const sendable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false, Number.NaN, Infinity, -0),
    fc.integer(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.float32Array(),
    fc.bigInt64Array(),
    fc.array(tie('value'), { maxLength: 8 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 8 },
    ),
  ),
})).value

test('lets through what the encoder makes of anything that can be sent', () => {
  fc.assert(
    fc.property(fc.array(sendable, { maxLength: 6 }), (args) => {
      expect(scan(encode(args))).toBeUndefined()
    }),
    { numRuns: 500, seed: 7 },
  )
})

test('ends for any bytes, and never says yes to a value cut short', () => {
  fc.assert(
    fc.property(fc.array(sendable, { maxLength: 4 }), fc.nat(), (args, cut) => {
      const whole = encode(args)
      const part = whole.subarray(0, cut % whole.length)
      expect(scan(part)).toBeTypeOf('string')
    }),
    { numRuns: 300, seed: 8 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(['string', 'undefined']).toContain(typeof scan(bytes))
    }),
    { numRuns: 2000, seed: 9 },
  )
})

test('takes sixteen arrays inside one another and refuses a seventeenth', () => {
  expect(scan(encode(nest(16)))).toBeUndefined()
  expect(scan(encode(nest(17)))).toBe('nested too deep')
  expect(scan(encode(nest(40)), { maxDepth: 1000 })).toBe('nested too deep')
})

test('refuses counts that the bytes there cannot hold, before they are believed', () => {
  // The 4 G headers that make a decoder allocate.
  for (const bomb of ['dd ff ff ff ff', 'df ff ff ff ff', 'db ff ff ff ff', 'c6 ff ff ff ff']) {
    expect(scanHex(bomb)).toBeTypeOf('string')
  }
  expect(scanHex('c9 ff ff ff ff 74')).toBeTypeOf('string')
  expect(scanHex('dc 00 10 01', { maxArrayLength: 100 })).toBe('cut short')
  expect(scanHex('de 00 02 a1 61 01')).toBe('cut short')
})

test('refuses a chain of nested array headers', () => {
  const chain = new Uint8Array(72 * 1024).fill(0xdc)
  expect(scan(chain)).toBeTypeOf('string')
  expect(scan(new Uint8Array(1_000_000).fill(0x91))).toBe('nested too deep')
})

test('counts every value against the budget', () => {
  expect(scan(encode([1, 2, 3]), { maxTokens: 4 })).toBeUndefined()
  expect(scan(encode([1, 2, 3]), { maxTokens: 3 })).toBe('too many values')
  expect(scan(encode({ a: 1 }), { maxTokens: 2 })).toBe('too many values')
})

test('holds strings, binary, arrays, maps and keys to their limits', () => {
  expect(scan(encode('x'.repeat(100)), { maxStringBytes: 99 })).toBe('a string too long')
  expect(scan(encode('x'.repeat(100)), { maxStringBytes: 100 })).toBeUndefined()
  expect(scan(encode(new Uint8Array(100)), { maxBinaryBytes: 99 })).toBe('binary too long')
  expect(scanHex('c4 03 01 02 03', { maxBinaryBytes: 2 })).toBe('binary too long')
  expect(scan(encode([1, 2, 3]), { maxArrayLength: 2 })).toBe('an array too long')
  expect(scan(encode({ a: 1, b: 2 }), { maxMapLength: 1 })).toBe('a map too large')
  expect(scan(encode({ abc: 1 }), { maxKeyBytes: 2 })).toBe('a key too long')
})

test('refuses the key __proto__ and keys that are no strings', () => {
  expect(scanHex('81 a9 5f 5f 70 72 6f 74 6f 5f 5f 01')).toBe('the key __proto__')
  expect(scanHex('81 d9 09 5f 5f 70 72 6f 74 6f 5f 5f 01')).toBe('the key __proto__')
  for (const key of ['01', 'c0', '90', 'cb 00 00 00 00 00 00 00 00', 'e0', 'd4 00 00']) {
    expect(scanHex(`81 ${key} 01`)).toBe('a key that is not a string')
  }
  expect(scan(encode({ ['constructor']: 1, ['__proto_']: 2 }))).toBeUndefined()
})

test('refuses records, sets, errors, expressions, pointers and every other extension', () => {
  const refused = [
    'd4 72 40 91 a1 61 01', // a record definition
    'd5 72 40 01 91 a1 61 01',
    'd4 73 00 90', // a set
    'd4 65 00 93 a1 61 a1 62 c0', // an error
    'd4 78 00 92 a1 61 a0', // a regular expression
    'd6 69 00 00 00 01 90', // an id
    'd6 70 00 00 00 01', // a pointer to it
    'd6 62 00 00 00 00', // bundled strings
    'c7 03 05 01 02 03',
    'd5 00 01 02',
    'c7 01 00 00',
    'c7 00 00',
    'd4 ff ff', // an invalid date
    'd8 ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    'c7 03 74 07 01 02', // two bytes of Float32
    'c7 02 74 0d 01',
    'c7 00 74',
  ]
  for (const bytes of refused) expect(scanHex(bytes), bytes).toBeTypeOf('string')
  expect(scan(encode(2n ** 600n))).toBe('a bigint too long')
})

test('refuses the token that is never used, nothing at all, and anything after the value', () => {
  expect(scanHex('c1')).toBe('a token that is never used')
  expect(scanHex('')).toBe('cut short')
  expect(scanHex('90 90')).toBe('bytes after the value')
})
