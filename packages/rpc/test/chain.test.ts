import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../src/byte-reader.ts'
import { decodeExtras, encodeExtras, extend, FrameIds, type Chain } from '../src/chain.ts'
import { hex, unhex } from './support.ts'

const inner = (bytes: Uint8Array): Uint8Array => {
  const reader = new ByteReader().reset(bytes)
  return reader.raw(reader.varint())
}

test('a chain comes out of the extras as it went in', () => {
  const ids = fc.array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { maxLength: 64 })
  fc.assert(
    fc.property(ids, (chain) => {
      expect(decodeExtras(inner(encodeExtras(chain)))).toEqual(chain)
    }),
  )
  expect(hex(encodeExtras([2 ** 32 + 5]))).toBe('0a 01 08 05 00 00 00 01 00 00 00')
})

test('extras of other types are skipped, malformed ones are no chain, whatever the bytes', () => {
  expect(decodeExtras(unhex('07 02 ff ff 01 08 05 00 00 00 01 00 00 00'))).toEqual([2 ** 32 + 5])
  for (const bytes of ['', '01', '01 09', '01 03 00 00 00', '01 ff ff ff ff ff', '09 01 00']) {
    expect(decodeExtras(unhex(bytes)), bytes).toEqual([])
  }
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      for (const id of decodeExtras(bytes)) expect(Number.isInteger(id)).toBe(true)
    }),
  )
})

test('a chain remembers its last 64 handlers', () => {
  let chain: Chain = []
  for (let id = 1; id <= 100; id++) chain = extend(chain, id)
  expect(chain).toHaveLength(64)
  expect([chain[0], chain.at(-1)]).toEqual([37, 100])
})

test('two nodes, and two starts of one, number their handlers apart', () => {
  const [a, b] = [new FrameIds('a\n1'), new FrameIds('a\n2')]
  const ids = new Set([a.next(), a.next(), b.next(), b.next()])
  expect(ids.size).toBe(4)
  for (const id of ids) expect(Number.isSafeInteger(id)).toBe(true)
})
