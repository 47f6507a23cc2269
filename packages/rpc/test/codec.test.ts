import { seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeBehind, trustedDecoder, untrustedDecoder } from '../src/codec.ts'
import { RpcError } from '../src/errors.ts'
import { DECODE_LIMITS } from '../src/decode-limits.ts'
import { unhex } from './support.ts'
import { bombs } from './bombs.ts'

const decoders = { trusted: trustedDecoder(), untrusted: untrustedDecoder(DECODE_LIMITS) }

const roundTrip = (value: unknown, decoder = decoders.untrusted): unknown =>
  decoder.decode(new Uint8Array(encodeBehind(3, value)), 3)

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false),
    fc.double(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.string({ unit: 'grapheme' }),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4_000_000_000_000) }),
    fc.uint8Array(),
    fc.int16Array(),
    fc.float64Array(),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 6, noNullPrototype: true },
    ),
  ),
})).value

for (const [name, decoder] of Object.entries(decoders)) {
  test(`gives back what was sent, types included, when the peer is ${name}`, () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(roundTrip(value, decoder)).toEqual(value)
      }),
      { numRuns: 300, seed: 11 },
    )
  })
}

test('keeps numbers numbers and bigints bigints, also above 2^53', () => {
  for (const value of [2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 40), 5n, -5n, 2n ** 63n, 2n ** 100n]) {
    expect(roundTrip(value)).toBe(value)
  }
})

test('hands out binary as a copy, so that it outlives the message', () => {
  const message = new Uint8Array(encodeBehind(0, [Uint8Array.of(1, 2, 3)]))
  const [bytes] = decoders.untrusted.decode(message, 0) as [Uint8Array]
  message.fill(0)
  expect([...bytes]).toEqual([1, 2, 3])
})

test('reads the same in the middle of a chunk as alone, whole or cut short', () => {
  const outcome = (message: Uint8Array, start: number): unknown => {
    try {
      return { value: decoders.trusted.decode(message, start) }
    } catch (error) {
      return (error as RpcError).code
    }
  }
  fc.assert(
    fc.property(plain, fc.nat({ max: 64 }), fc.nat({ max: 9 }), (value, cut, before) => {
      const bytes = new Uint8Array(encodeBehind(3, value))
      const length = Math.max(0, bytes.length - cut)
      // What follows is the rest and the same again: bytes that would make a cut value whole.
      const chunk = new Uint8Array(before + bytes.length * 2)
      chunk.set(bytes, before)
      chunk.set(bytes, before + bytes.length)
      const inChunk = outcome(chunk.subarray(before, before + length), 3)
      expect(inChunk).toEqual(outcome(bytes.slice(0, length), 3))
    }),
    { numRuns: 2000, seed: 12 },
  )
})

test('has room for headers of any length', () => {
  for (const reserved of [0, 1, 255, 256, 700]) {
    const message = new Uint8Array(encodeBehind(reserved, ['a', 1]))
    message.fill(0xc1, 0, reserved)
    expect(decoders.untrusted.decode(message, reserved)).toEqual(['a', 1])
  }
})

test('refuses to encode functions and symbols', () => {
  expect(() => encodeBehind(0, [() => {}])).toThrow(/cannot be sent/)
  expect(() => encodeBehind(0, [{ deep: [() => {}] }])).toThrow(/cannot be sent/)
  expect(() => encodeBehind(0, [Symbol('s')])).toThrow()
})

test('decodes with RPC_PROTOCOL what is no value, more than one, or cut short', () => {
  for (const decoder of Object.values(decoders)) {
    for (const bytes of ['', '92 01', '01 02', 'd9 ff 61', 'cb 00']) {
      expect(() => decoder.decode(unhex(bytes), 0)).toThrow(
        expect.objectContaining({ code: 'RPC_PROTOCOL' }) as Error,
      )
    }
  }
})

test('bombs from an untrusted peer cost neither time nor memory', () => {
  for (const [name, bytes] of Object.entries(bombs)) {
    const before = process.memoryUsage().heapUsed
    const cpu = process.cpuUsage()
    expect(() => decoders.untrusted.decode(bytes, 0), name).toThrow(RpcError)
    // Generous, and counted in what this process used. A decoder without the scan takes seconds, or dies.
    const { user, system } = process.cpuUsage(cpu)
    expect((user + system) / 1000, name).toBeLessThan(250)
    expect(process.memoryUsage().heapUsed - before, name).toBeLessThan(bytes.length * 2 + 4_000_000)
  }
})

test('a million fuzzed bytes: a value or a coded error, no pollution, no hang', () => {
  const random = seededRandom(42)
  const valid = [
    ['hello', 1, { x: 1.5, list: [1, 2, 3] }],
    [new Float32Array([1, 2]), new Date(1_700_000_000_000), 5n, null, undefined],
    [{ a: { b: { c: { d: 'e'.repeat(50) } } } }, -1, 2 ** 40],
  ].map((value) => new Uint8Array(encodeBehind(0, value)))
  let fed = 0
  while (fed < 1_000_000) {
    let bytes: Uint8Array
    if (random.chance(0.5)) bytes = random(1 + random.int(96))
    else {
      bytes = random.pick(valid).slice(0)
      for (let i = random.int(4); i >= 0; i--) bytes[random.int(bytes.length)] = random.int(256)
      if (random.chance(0.2)) bytes = bytes.subarray(0, random.int(bytes.length + 1))
    }
    fed += bytes.length
    for (const decoder of Object.values(decoders)) {
      try {
        decoder.decode(bytes, 0)
      } catch (error) {
        if (!(error instanceof RpcError)) throw error
      }
    }
  }
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  // The decoders still work.
  expect(roundTrip(['after', 1])).toEqual(['after', 1])
})
