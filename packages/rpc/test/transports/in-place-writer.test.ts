import { expect, test } from 'vitest'
import { BatchWriter } from '../../src/transports/batch-writer.ts'
import { InPlaceWriter } from '../../src/transports/in-place-writer.ts'
import { SlabPool } from '../../src/transports/slab-pool.ts'
import { hex } from '../support.ts'

test('a message written in place lies where an appended one would', () => {
  const [inPlace, appended] = [new InPlaceWriter(new SlabPool()), new BatchWriter(new SlabPool())]
  for (let i = 0; i < 500; i++) {
    const message = new Uint8Array(i % 90).fill(i)
    appended.append(message)
    const start = inPlace.open(90)
    inPlace.bytes.set(message, start)
    expect(inPlace.commit(inPlace.bytes, start, start + message.length)).toBe(true)
    expect(inPlace.size).toBe(appended.size)
  }
  const bytesOf = (writer: BatchWriter): string =>
    Buffer.concat(writer.take().map((piece) => piece.bytes)).toString('hex')
  expect(bytesOf(inPlace)).toBe(bytesOf(appended))
})

test('a message that comes while another is written in place takes its turn, and that one is told', () => {
  const writer = new InPlaceWriter(new SlabPool())
  writer.append(Uint8Array.of(1))
  const start = writer.open(10)
  const slab = writer.bytes
  slab[start] = 9
  writer.append(Uint8Array.of(2))
  slab.fill(9, start)
  expect(writer.commit(slab, start, start + 1)).toBe(false)
  writer.append(Uint8Array.of(3))
  const bytes = Buffer.concat(writer.take().map((piece) => piece.bytes))
  expect(hex(bytes)).toBe('01 00 00 00 01 01 00 00 00 02 01 00 00 00 03')
})

test('what is abandoned takes no room', () => {
  const writer = new InPlaceWriter(new SlabPool())
  for (let i = 0; i < 100; i++) {
    writer.open(1000)
    writer.abandon()
  }
  writer.append(Uint8Array.of(1))
  expect(writer.take().map((piece) => hex(piece.bytes))).toEqual(['01 00 00 00 01'])
})
