import { seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { expect, test, vi } from 'vitest'
import { decodeQuick, NOT_QUICK } from '../src/quick-decoder.ts'
import { encodeQuick, NO_ROOM, NOT_QUICK as CANNOT } from '../src/quick-encoder.ts'
import { hex, unhex } from './support.ts'

const options = { useRecords: false, mapsAsObjects: true, variableMapSize: true, moreTypes: true }
const packr = new Packr(options)
const unpackr = new Unpackr(options)

const SLAB = new Uint8Array(8192)

function encoded(value: unknown, at = 0): Uint8Array | number {
  SLAB.fill(0xee)
  const end = encodeQuick(SLAB, at, value)
  return end < 0 ? end : SLAB.slice(at, end)
}

const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
)
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false, -0, NaN, Infinity),
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(...[5, 7, 8, 15, 16, 31, 32].flatMap((n) => [2 ** n, 2 ** n - 1, -(2 ** n)])),
    text,
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 18, noNullPrototype: true }),
  ),
})).value

test('writes the bytes that msgpackr writes', () => {
  let quick = 0
  fc.assert(
    fc.property(value, fc.nat({ max: 40 }), (sent, at) => {
      const bytes = encoded(sent, at)
      if (bytes === NO_ROOM) return
      expect(hex(bytes as Uint8Array)).toBe(hex(packr.pack(sent)))
      quick += 1
    }),
    { numRuns: 3000, seed: 21 },
  )
  expect(quick).toBeGreaterThan(2500)
})

test('writes texts of every length as msgpackr does, whatever bytes their characters take', () => {
  for (const char of ['a', 'é', '語', '𝄞']) {
    for (let length = 0; length < 300; length++) {
      const sent = char.repeat(length)
      expect(hex(encoded(sent) as Uint8Array)).toBe(hex(packr.pack(sent)))
      expect(
        decodeQuick(encoded(sent) as Uint8Array, 0, (encoded(sent) as Uint8Array).length),
      ).toBe(sent)
    }
  }
})

test('writes the same where the platform has only a TextEncoder, as browsers do', async () => {
  vi.stubGlobal('Buffer', undefined)
  vi.resetModules()
  const fresh = await import('../src/quick-encoder.ts')
  vi.unstubAllGlobals()
  for (const sent of [
    '',
    'short',
    'x'.repeat(40),
    'é'.repeat(25),
    '語'.repeat(100),
    'a'.repeat(256),
  ]) {
    const end = fresh.encodeQuick(SLAB, 3, sent)
    expect(hex(SLAB.subarray(3, end))).toBe(hex(packr.pack(sent)))
  }
})

test('gives back what msgpackr wrote, in the middle of other bytes', () => {
  fc.assert(
    fc.property(value, fc.nat({ max: 9 }), (sent, before) => {
      const bytes = packr.pack(sent)
      const message = Buffer.concat([Buffer.alloc(before, 0xa1), bytes, Buffer.alloc(9, 0xa1)])
      const received = decodeQuick(message, before, before + bytes.length)
      const plain = decodeQuick(new Uint8Array(message), before, before + bytes.length)
      if (received !== NOT_QUICK) expect(received).toEqual(unpackr.unpack(bytes))
      expect(plain).toEqual(received)
    }),
    { numRuns: 3000, seed: 22 },
  )
})

test('leaves to msgpackr what it has its own way with', () => {
  class Point {
    x = 1
  }
  const others = [1n, new Date(0), Uint8Array.of(1), new Point(), () => 1, Symbol('s'), new Map()]
  for (const other of others) {
    expect(encoded(other)).toBe(CANNOT)
    expect(encoded([{ deep: other }])).toBe(CANNOT)
  }
  let nested: unknown = 1
  for (let i = 0; i < 9; i++) nested = [nested]
  expect(encoded(nested)).toBe(CANNOT)
  for (const bytes of ['c4 01 00', 'cf 00 00 00 00 00 00 00 01', 'd4 01 00', 'c1', '81 01 02']) {
    expect(decodeQuick(unhex(bytes), 0, unhex(bytes).length)).toBe(NOT_QUICK)
  }
  // A key that would be more than a key.
  const proto = Buffer.concat([unhex('81 a9'), Buffer.from('__proto__'), unhex('01')])
  expect(decodeQuick(proto, 0, proto.length)).toBe(NOT_QUICK)
})

test('says that there is no room instead of writing behind the end', () => {
  fc.assert(
    fc.property(value, fc.nat({ max: 60 }), (sent, room) => {
      const out = new Uint8Array(room)
      const end = encodeQuick(out, 0, sent)
      expect(end).toBeLessThanOrEqual(room)
      if (end >= 0) expect(hex(out.subarray(0, end))).toBe(hex(packr.pack(sent)))
    }),
    { numRuns: 2000, seed: 23 },
  )
})

test('any bytes at all give a value that msgpackr gives, or are left to it, without reading past the end', () => {
  const random = seededRandom(24)
  const seen = { value: 0, left: 0 }
  for (let i = 0; i < 40_000; i++) {
    const bytes = random(1 + random.int(24))
    // Mostly short headers, so that many of them are whole.
    if (random.int(2) === 0) bytes[0] = 0x90 | random.int(4)
    const end = random.int(bytes.length + 1)
    const received = decodeQuick(bytes, 0, end)
    if (received === NOT_QUICK) {
      seen.left += 1
      continue
    }
    seen.value += 1
    expect(received).toEqual(unpackr.unpack(bytes.slice(0, end)))
  }
  expect(seen.value).toBeGreaterThan(1000)
  expect(seen.left).toBeGreaterThan(1000)
})

test('arrays that announce more than there is, or nest for ever, cost nothing', () => {
  const bomb = new Uint8Array(70_000).fill(0x91)
  expect(decodeQuick(bomb, 0, bomb.length)).toBe(NOT_QUICK)
  expect(decodeQuick(unhex('dc ff ff'), 0, 3)).toBe(NOT_QUICK)
  expect(decodeQuick(unhex('de ff ff'), 0, 3)).toBe(NOT_QUICK)
})
