import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Segment,
  decodeMappings,
  encodeMappings,
  joinMappings,
  sourcePosition,
} from '../src/source-map.ts'

const whole = fc.nat({ max: 1_000_000 })
const line = fc
  .array(fc.tuple(whole, whole, whole))
  .map((segments): Segment[] => segments.sort(([one], [other]) => one - other))

describe('mappings', () => {
  it('are what they were after writing and reading', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), (mappings) => {
        expect(decodeMappings(encodeMappings(mappings))).toEqual(mappings)
      }),
    )
  })

  it('are written as the specification has them', () => {
    expect(
      encodeMappings([
        [[0, 0, 0]],
        [],
        [
          [4, 1, 2],
          [9, 0, 0],
        ],
      ]),
    ).toBe('AAAA;;IACE,KADF')
  })

  it('tell the last segment at or before a column', () => {
    const mappings: Segment[][] = [
      [
        [2, 7, 1],
        [5, 8, 3],
      ],
    ]
    const at = (column: number): unknown => sourcePosition(mappings, { line: 0, column })
    expect([at(1), at(2), at(4), at(5), at(99)]).toEqual([
      undefined,
      { line: 7, column: 1 },
      { line: 7, column: 1 },
      { line: 8, column: 3 },
      { line: 8, column: 3 },
    ])
    expect(sourcePosition(mappings, { line: 3, column: 0 })).toBeUndefined()
  })

  it('lead on through those of a text that was generated itself, and drop what comes from nowhere', () => {
    const inner: Segment[][] = [[], [[4, 30, 2]]]
    const outer: Segment[][] = [
      [
        [0, 0, 0],
        [3, 1, 6],
      ],
    ]
    expect(joinMappings(outer, inner)).toEqual([[[3, 30, 2]]])
  })
})
