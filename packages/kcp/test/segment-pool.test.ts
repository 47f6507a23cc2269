import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SegmentPool } from '../src/index.ts'
import { Block, FreeBlocks } from '../src/segment-pool.ts'

const takeAll = (pool: SegmentPool, count: number, byteLength: number): Block[] =>
  Array.from({ length: count }, () => pool.take(byteLength))
const giveAll = (pool: SegmentPool, blocks: readonly Block[]): void => {
  for (const block of blocks) pool.give(block)
}

describe('the pool', () => {
  test('lends again what was given back, the last one first', () => {
    const pool = new SegmentPool()
    const [first, second] = takeAll(pool, 2, 100) as [Block, Block]
    giveAll(pool, [first, second])
    expect(takeAll(pool, 2, 200)).toEqual([second, first])
  })

  test.each([
    [0, 256],
    [256, 256],
    [257, 1536],
    [1536, 1536],
    [1537, 2048],
    [2048, 2048],
    [2049, 4096],
    [100_000, 131_072],
  ])('lends for %d bytes a block of %d', (asked, given) => {
    const pool = new SegmentPool()
    const block = pool.take(asked)
    expect(block.bytes).toHaveLength(given)
    pool.give(block)
    expect(pool.freeBytes).toBe(given)
    expect(pool.take(asked)).toBe(block)
  })

  test.each<[string, readonly [count: number, byteLength: number][]]>([
    ['of a size', [[100, 256]]],
    [
      'of two sizes together',
      [
        [50, 256],
        [20, 2048],
      ],
    ],
  ])('keeps what is in use %s, not what a burst of another size left behind', (_what, sizes) => {
    const pool = new SegmentPool({ maxFreeBytes: 64 * 1024 })
    giveAll(pool, takeAll(pool, 8, 8192))
    expect(pool.freeBytes).toBe(64 * 1024)
    const round = (): Block[] => {
      const blocks = sizes.flatMap(([count, byteLength]) => takeAll(pool, count, byteLength))
      giveAll(pool, blocks)
      return blocks
    }
    round()
    const inUse = new Set(round())
    for (let turn = 0; turn < 10; turn += 1)
      expect(round().every((block) => inUse.has(block))).toBe(true)
  })

  test('never lends one block twice, and keeps no more than it may', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), bytes: fc.nat(9000) }),
      fc.record({ kind: fc.constant('give' as const), index: fc.nat() }),
    )
    const property = fc.property(fc.nat(40_000), fc.array(step), (maxFreeBytes, steps) => {
      const pool = new SegmentPool({ maxFreeBytes })
      const lent: Block[] = []
      for (const action of steps) {
        if (action.kind === 'take') {
          const block = pool.take(action.bytes)
          expect(block.bytes.length).toBeGreaterThanOrEqual(action.bytes)
          expect(lent).not.toContain(block)
          lent.push(block)
        } else if (lent.length > 0) pool.give(lent.splice(action.index % lent.length, 1)[0]!)
        expect(pool.freeBytes).toBeGreaterThanOrEqual(0)
        expect(pool.freeBytes).toBeLessThanOrEqual(maxFreeBytes)
      }
    })
    fc.assert(property, { numRuns: 200 })
  })
})

describe('a part of a block', () => {
  test('is made an array when it is asked for again, and kept while others are asked for once', () => {
    const block = new Block(new FreeBlocks(1536))
    expect(block.partAgain(24, 1376)).toBeUndefined()
    const full = block.partAgain(24, 1376)
    expect(full).toHaveLength(1376)
    expect(block.partAgain(24, 700)).toBeUndefined()
    expect(block.partAgain(24, 1376)).toBe(full)
    expect(block.partAgain(24, 300)).toBeUndefined()
    expect(block.partAgain(24, 300)).toHaveLength(300)
    expect(block.partAgain(24, 1376)).toBeUndefined()
  })

  test('is that part, whatever was asked for before', () => {
    const asked = fc.record({ start: fc.nat(3), length: fc.integer({ min: 1, max: 3 }) })
    fc.assert(
      fc.property(fc.array(asked), (list) => {
        const block = new Block(new FreeBlocks(256))
        for (const { start, length } of list) {
          const part = block.partAgain(start, length)
          if (part === undefined) continue
          expect([part.buffer, part.byteOffset, part.length]).toEqual([
            block.bytes.buffer,
            start,
            length,
          ])
        }
      }),
    )
  })
})
