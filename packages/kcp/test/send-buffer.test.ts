import { describe, expect, test } from 'vitest'
import { SegmentPool } from '../src/index.ts'
import type { Block } from '../src/segment-pool.ts'
import { LENGTH, MAX_SHARED_BYTES, OFFSET, SendBuffer } from '../src/send-buffer.ts'

function makeBuffer(): {
  pool: SegmentPool
  snd: SendBuffer
  push: (length: number) => void
  blocks: () => Block[]
  payloads: () => string[]
} {
  const pool = new SegmentPool()
  const snd = new SendBuffer(pool, 0)
  let letter = 0
  return {
    pool,
    snd,
    push(length) {
      snd.push(Buffer.alloc(length, 97 + (letter % 26)), 0, length, 0)
      snd.nxt = snd.end
      letter += 1
    },
    blocks: () => [...new Set(snd.blocks.filter((block) => block !== undefined))],
    payloads() {
      const list: string[] = []
      for (let sn = snd.una; sn !== snd.end; sn = (sn + 1) | 0) {
        const record = snd.at(sn)
        const offset = snd.records[record + OFFSET]!
        const length = snd.records[record + LENGTH]!
        const bytes = Buffer.from(
          snd.blocks[sn & snd.mask]!.bytes.subarray(offset, offset + length),
        )
        const first = String.fromCharCode(bytes[0]!)
        list.push(bytes.equals(Buffer.alloc(length, bytes[0])) ? `${first}${length}` : 'torn')
      }
      return list
    },
  }
}

describe('payloads that wait for their acknowledgement', () => {
  test('share a block to its last byte', () => {
    const { push, blocks, payloads } = makeBuffer()
    push(200)
    push(56)
    expect(blocks()).toHaveLength(1)
    expect(blocks()[0]!.bytes).toHaveLength(256)
    push(1)
    expect(blocks()).toHaveLength(2)
    expect(payloads()).toEqual(['a200', 'b56', 'c1'])
  })

  test('give a block back when the last of it is acknowledged, whatever the order', () => {
    const { pool, snd, push, blocks, payloads } = makeBuffer()
    for (const length of [150, 100, 256]) push(length)
    const [first, second] = blocks() as [Block, Block]
    snd.ack(1)
    expect(pool.freeBytes).toBe(0)
    snd.ack(0)
    expect(pool.freeBytes).toBe(first.bytes.length)
    snd.shrink(2)
    expect(payloads()).toEqual(['c256'])
    snd.shrink(3)
    expect(pool.freeBytes).toBe(first.bytes.length + second.bytes.length)
    expect(blocks()).toEqual([])
    push(10)
    expect(payloads()).toEqual(['d10'])
  })

  test('lie in few blocks where much waits, and take little more than their bytes', () => {
    const { pool, snd, push, blocks } = makeBuffer()
    for (let index = 0; index < 2048; index += 1) push(1376)
    const lent = blocks()
    expect(lent.length).toBeLessThan(64)
    const bytes = lent.reduce((sum, block) => sum + block.bytes.length, 0)
    expect(bytes).toBeLessThan(2048 * 1376 + 2 * MAX_SHARED_BYTES)
    // As many come as go: no memory but that.
    for (let round = 0; round < 100; round += 1) {
      snd.shrink((snd.una + 100) | 0)
      for (let index = 0; index < 100; index += 1) push(1376)
    }
    const after = blocks().reduce((sum, block) => sum + block.bytes.length, pool.freeBytes)
    expect(after).toBeLessThanOrEqual(bytes + 2 * MAX_SHARED_BYTES)
  })

  test('take a small block where little waits', () => {
    const { snd, push, blocks } = makeBuffer()
    for (let index = 0; index < 100; index += 1) {
      push(64)
      if (index >= 2) snd.shrink((snd.una + 1) | 0)
      expect(blocks().every((block) => block.bytes.length === 256)).toBe(true)
    }
  })

  test('that grow go to another block whole when theirs is full, which is given back', () => {
    const { pool, snd, payloads } = makeBuffer()
    snd.push(Buffer.alloc(200, 97), 0, 200, 0)
    snd.extend(Buffer.alloc(56, 97), 0, 56)
    expect(pool.freeBytes).toBe(0)
    snd.extend(Buffer.alloc(1, 97), 0, 1)
    expect(pool.freeBytes).toBe(256)
    expect(payloads()).toEqual(['a257'])
    snd.extend(Buffer.alloc(1000, 97), 0, 1000)
    expect(payloads()).toEqual(['a1257'])
  })

  test('are all given back at once', () => {
    const { pool, snd, push, blocks } = makeBuffer()
    for (let index = 0; index < 40; index += 1) push(700)
    const bytes = blocks().reduce((sum, block) => sum + block.bytes.length, 0)
    snd.ack(3)
    snd.clear()
    expect(pool.freeBytes).toBe(bytes)
    expect([snd.bytes, snd.inFlight, snd.queued]).toEqual([0, 0, 0])
  })
})
