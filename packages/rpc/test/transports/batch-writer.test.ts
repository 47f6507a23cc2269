import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchWriter } from '../../src/transports/batch-writer.ts'
import { SLAB_BYTES, SlabPool } from '../../src/transports/slab-pool.ts'
import { hex } from '../support.ts'

test('what is taken is every message with its length, in order, whatever the sizes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) },
          { weight: 2, arbitrary: fc.integer({ min: 3000, max: 70_000 }) },
          { weight: 1, arbitrary: fc.integer({ min: 120_000, max: 140_000 }) },
        ),
        { maxLength: 40 },
      ),
      (sizes) => {
        const pool = new SlabPool()
        const writer = new BatchWriter(pool)
        const parts: Uint8Array[] = []
        for (const [i, size] of sizes.entries()) {
          const message = new Uint8Array(size).fill(i + 1)
          const length = new Uint8Array(4)
          new DataView(length.buffer).setUint32(0, size, true)
          parts.push(length, message)
          writer.append(message)
        }
        const wanted = Buffer.concat(parts)
        expect(writer.size).toBe(wanted.length)
        const pieces = writer.take()
        expect(Buffer.concat(pieces.map((piece) => piece.bytes)).equals(wanted)).toBe(true)
        expect([writer.size, writer.take()]).toEqual([0, []])
      },
    ),
    { numRuns: 100, seed: 4 },
  )
})

test('small messages lie together, as many as a slab takes', () => {
  const writer = new BatchWriter(new SlabPool())
  for (let i = 0; i < 300; i++) writer.append(new Uint8Array(60))
  expect(writer.take().map((piece) => piece.bytes.length)).toEqual([8192, 8192, 2816])
})

test('full slabs can be taken while the last one goes on filling', () => {
  const writer = new BatchWriter(new SlabPool())
  for (let i = 0; i < 300; i++) writer.append(new Uint8Array(60))
  expect([writer.size, writer.fullSize]).toEqual([19_200, 16_384])
  expect(writer.takeFull().map((piece) => piece.bytes.length)).toEqual([8192, 8192])
  expect([writer.size, writer.fullSize, writer.takeFull()]).toEqual([2816, 0, []])
  writer.append(new Uint8Array(60))
  expect(writer.take().map((piece) => piece.bytes.length)).toEqual([2880])
})

test('a message is copied when it is appended', () => {
  const writer = new BatchWriter(new SlabPool())
  const message = Uint8Array.of(1, 2)
  writer.append(message)
  message.fill(9)
  expect(writer.take().map((piece) => hex(piece.bytes))).toEqual(['02 00 00 00 01 02'])
})

test('slabs are used again, and those made to measure are not kept', () => {
  const pool = new SlabPool()
  const small = pool.take(10)
  const large = pool.take(5000)
  const own = pool.take(SLAB_BYTES + 1)
  for (const slab of [small, large, own]) pool.give(slab)
  expect(pool.take(1)).toBe(small)
  expect(pool.take(SLAB_BYTES)).toBe(large)
  expect(pool.take(SLAB_BYTES + 1)).not.toBe(own)
})
