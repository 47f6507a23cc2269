import { expect, test } from 'vitest'
import { encodeBehind } from '../src/body-encoder.ts'

const hex = (value: unknown): string => Buffer.from(encodeBehind(0, value)).toString('hex')

test('writes each value in one form, byte for byte', () => {
  const golden: readonly (readonly [unknown, string])[] = [
    [null, 'c0'],
    [undefined, 'd40000'],
    [false, 'c2'],
    [true, 'c3'],
    [0, '00'],
    [-0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [2 ** 32 - 1, 'ceffffffff'],
    [2 ** 32, 'cb41f0000000000000'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'],
    [1.5, 'cb3ff8000000000000'],
    [Number.NaN, 'cb7ff8000000000000'],
    [5n, 'd30000000000000005'],
    [-5n, 'd3fffffffffffffffb'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [2n ** 64n, 'c7104200000000000000010000000000000000'],
    [-(2n ** 64n), 'c71042ffffffffffffffff0000000000000000'],
    ['', 'a0'],
    ['hi', 'a26869'],
    ['é', 'a2c3a9'],
    ['a lone \ud800', 'aa61206c6f6e6520efbfbd'],
    ['x'.repeat(32), `d920${'78'.repeat(32)}`],
    ['é'.repeat(16), `d920${'c3a9'.repeat(16)}`],
    ['x'.repeat(256), `da0100${'78'.repeat(256)}`],
    ['x'.repeat(65_536), `db00010000${'78'.repeat(65_536)}`],
    [[], '90'],
    [Array.from({ length: 16 }, () => 1), `dc0010${'01'.repeat(16)}`],
    [{}, '80'],
    [{ a: undefined }, '81a161d40000'],
    [new Map([['a', 1]]), '81a16101'],
    [new Date(0), 'c704ff00000000'],
    [new Date(1), 'c708ff003d090000000000'],
    [new Date(2 ** 32 * 1000), 'c708ff0000000100000000'],
    [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
    [Uint8Array.of(1, 2), 'c4020102'],
    [Uint8ClampedArray.of(1), 'c702740201'],
    [Int16Array.of(1), 'c70374030100'],
    [Uint8Array.of(7).buffer, 'c702741007'],
    [new DataView(Uint8Array.of(7, 8, 9).buffer, 1, 1), 'c702741108'],
    [
      { toJSON: undefined, constructor: 1 },
      `82${'a6746f4a534f4e'}d40000${'ab636f6e7374727563746f72'}01`,
    ],
  ]
  for (const [value, bytes] of golden) expect(hex(value), String(value)).toBe(bytes)
})

test('writes an instance by its own fields, or by its toJSON', () => {
  class Point {
    readonly #hidden = 1
    x = 1
    get far(): boolean {
      return this.#hidden > 1
    }
  }
  class Money {
    toJSON(): unknown {
      return { cents: 5 }
    }
  }
  expect(hex(new Point())).toBe('81a17801')
  expect(hex([new Money()])).toBe('9181a563656e747305')
  expect(hex(Object.create(null))).toBe('80')
})

test('says what cannot be sent', () => {
  for (const value of [() => {}, Symbol('s'), new Set(), new Error('e'), /e/, new Date(Number.NaN)])
    expect(() => encodeBehind(0, [{ value }])).toThrow(/cannot be sent/)
  const circle: unknown[] = []
  circle.push(circle)
  expect(() => encodeBehind(0, circle)).toThrow(RangeError)
  expect(hex([1])).toBe('9101')
})

test('takes a message that is encoded while another one is', () => {
  let inner = ''
  const value = {
    before: 'x'.repeat(5000),
    get sent(): number {
      inner = hex(['inner', 'y'.repeat(9000)])
      return 1
    },
    after: 1.5,
  }
  expect(hex(value)).toBe(
    `83a66265666f7265da1388${'78'.repeat(5000)}a473656e7401a56166746572cb3ff8000000000000`,
  )
  expect(inner).toBe(`92a5696e6e6572da2328${'79'.repeat(9000)}`)
})

test('grows for large messages and lets go of the room again', () => {
  const large = 'x'.repeat(3_000_000)
  expect(encodeBehind(7, large).length).toBe(7 + 5 + large.length)
  expect(encodeBehind(0, 1).buffer.byteLength).toBeLessThan(10_000)
})
