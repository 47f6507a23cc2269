import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../src/byte-reader.ts'
import { decodeExtras, encodeExtras, priorityOf } from '../src/extras.ts'
import { hex, unhex } from './support.ts'

const inner = (bytes: Uint8Array | undefined): Uint8Array => {
  const reader = new ByteReader().reset(bytes ?? Uint8Array.of(0))
  return reader.raw(reader.varint())
}

test('extras come out as they went in', () => {
  const chains = fc.array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { maxLength: 64 })
  const priorities = fc.integer({ min: -128, max: 127 })
  const traces = fc.option(fc.string({ maxLength: 200 }), { nil: undefined })
  fc.assert(
    fc.property(chains, priorities, traces, (chain, priority, trace) => {
      const extras = decodeExtras(inner(encodeExtras(chain, priority, trace)))
      expect(extras).toEqual({ chain, priority, trace })
    }),
  )
  expect(hex(encodeExtras([2 ** 32 + 5])!)).toBe('0a 01 08 05 00 00 00 01 00 00 00')
  expect(hex(encodeExtras([], -2, 'ab')!)).toBe('07 02 01 fe 03 02 61 62')
  expect(encodeExtras([])).toBeUndefined()
})

test('unknown types are skipped, malformed extras are not there, whatever the bytes', () => {
  const text = '07 02 ff ff 01 08 05 00 00 00 01 00 00 00'
  expect(decodeExtras(unhex(text)).chain).toEqual([2 ** 32 + 5])
  for (const bytes of ['', '01', '01 09', '01 03 00 00 00', '01 ff ff ff ff ff', '09 01 00']) {
    expect(decodeExtras(unhex(bytes)), bytes).toEqual({ chain: [], priority: 0, trace: undefined })
  }
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const { chain, priority } = decodeExtras(bytes)
      for (const id of [...chain, priority]) expect(Number.isInteger(id)).toBe(true)
    }),
  )
})

test('a priority is a small whole number', () => {
  expect([priorityOf(undefined), priorityOf(-128), priorityOf(127)]).toEqual([0, -128, 127])
  for (const wrong of [128, -129, 0.5, Number.NaN])
    expect(() => priorityOf(wrong)).toThrow(RangeError)
})
