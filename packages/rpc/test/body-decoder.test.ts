import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '@rts/testing'
import { Packr, Unpackr } from 'msgpackr'
import { decodeBody } from '../src/body-decoder.ts'
import { encodeBehind } from '../src/body-encoder.ts'
import { RpcError } from '../src/errors.ts'
import { unhex } from './support.ts'

const decode = (bytes: Uint8Array, maxDepth = 16): unknown =>
  decodeBody(bytes, 0, bytes.length, maxDepth)

/** What is wrong with the bytes. */
function scan(bytes: Uint8Array, maxDepth?: number): string | undefined {
  try {
    decode(bytes, maxDepth)
    return undefined
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== 'RPC_PROTOCOL') throw error
    return error.message.replace('the message body is refused: ', '')
  }
}
const scanHex = (text: string): string | undefined => scan(unhex(text))
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

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  moreTypes: true,
  copyBuffers: true,
} as const
const packr = new Packr(options)
const unpackr = new Unpackr(options)

test('reads what msgpackr writes, and msgpackr reads what the encoder writes', () => {
  fc.assert(
    fc.property(fc.array(sendable, { maxLength: 6 }), (args) => {
      const theirs = new Uint8Array(packr.pack(args))
      const expected = unpackr.unpack(theirs) as unknown
      expect(decode(theirs)).toEqual(expected)
      expect(unpackr.unpack(encode(args))).toEqual(expected)
    }),
    { numRuns: 1500, seed: 21 },
  )
})

test('takes the same bytes apart as msgpackr does, wherever it takes them at all', () => {
  const random = seededRandom(31)
  const valid = [
    ['hello', 1, { x: 1.5, list: [1, 2, 3] }, 'grüße', 'x'.repeat(300)],
    [new Float32Array([1, 2]), new Date(1_700_000_000_123), 5n, null, undefined, 2n ** 80n],
    [{ a: { b: { c: { d: 'e'.repeat(50) } } } }, -1, 2 ** 40, -300, -70_000, 200, 70_000],
  ].map((value) => encode(value))
  let taken = 0
  let fed = 0
  while (fed < 1_000_000) {
    let bytes: Uint8Array
    if (random.chance(0.3)) bytes = random(1 + random.int(96))
    else {
      bytes = random.pick(valid).slice(0)
      for (let i = random.int(3); i >= 0; i--) bytes[random.int(bytes.length)] = random.int(256)
      if (random.chance(0.2)) bytes = bytes.subarray(0, random.int(bytes.length + 1))
    }
    fed += bytes.length
    if (scan(bytes) !== undefined) continue
    taken += 1
    expect(decode(bytes)).toEqual(unpackr.unpack(bytes))
  }
  expect(taken).toBeGreaterThan(1000)
  expect(Object.keys(Object.prototype)).toEqual([])
})

test('keeps each key that comes again apart from those that look like it', () => {
  const random = seededRandom(5)
  const letters = ['a', 'b', 'ab', 'ba', 'é', '\0', 'constructor', 'x'.repeat(40)]
  for (let round = 0; round < 5000; round += 1) {
    const key = Array.from({ length: random.int(4) }, () => random.pick(letters)).join('')
    expect(Object.keys(decode(encode({ [key]: 1 })) as object)).toEqual([key])
  }
})

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
  expect(scan(encode(nest(40)), 40)).toBeUndefined()
})

test('refuses counts that the bytes there cannot hold, before they are believed', () => {
  // The 4 G headers that make a decoder allocate.
  for (const bomb of ['dd ff ff ff ff', 'df ff ff ff ff', 'db ff ff ff ff', 'c6 ff ff ff ff']) {
    expect(scanHex(bomb)).toBeTypeOf('string')
  }
  expect(scanHex('c9 ff ff ff ff 74')).toBeTypeOf('string')
  expect(scanHex('dc 00 10 01')).toBe('cut short')
  expect(scanHex('de 00 02 a1 61 01')).toBe('cut short')
})

test('refuses a chain of nested array headers', () => {
  const chain = new Uint8Array(72 * 1024).fill(0xdc)
  expect(scan(chain)).toBeTypeOf('string')
  expect(scan(new Uint8Array(1_000_000).fill(0x91))).toBe('nested too deep')
})

test('takes what is long: the message that holds it is what has a limit', () => {
  const long = ['x'.repeat(20_000), new Uint8Array(40_000), Array.from({ length: 5000 }, () => 1)]
  const wide = Object.fromEntries(
    Array.from({ length: 600 }, (_, i) => [`${'k'.repeat(200)}${i}`, i]),
  )
  expect(decode(encode([long, wide]))).toEqual([long, wide])
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
