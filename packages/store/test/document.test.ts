import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeDocument, encodeDocument } from '../src/document.ts'
import { StoreError } from '../src/index.ts'

const encode = (data: unknown): string => encodeDocument(data, 1_000_000)
const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof StoreError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

class Sword {
  readonly damage = 3
}

describe('a document', () => {
  it('comes back as it was, whatever is in it', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.int16Array(),
      fc.float64Array(),
      fc.bigInt64Array(),
    )
    const key = fc
      .oneof(fc.string(), fc.constantFrom('$', '$$', '$date', '$$map', 'constructor', 'toString'))
      .filter((name) => name !== '__proto__')
    const { data } = fc.letrec<{ data: unknown }>((tie) => ({
      data: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        leaf,
        fc.array(tie('data'), { maxLength: 4 }),
        fc.dictionary(key, tie('data'), { maxKeys: 4, noNullPrototype: true }),
        fc
          .array(fc.tuple(tie('data'), tie('data')), { maxLength: 3 })
          .map((pairs) => new Map(pairs)),
        fc.array(tie('data'), { maxLength: 3 }).map((items) => new Set(items)),
      ),
    }))
    fc.assert(
      fc.property(data, (value) => {
        // Not `toStrictEqual`, which trips over a key named `constructor`.
        const read = decodeDocument(encode(value))
        expect(isDeepStrictEqual(read, value)).toBe(true)
      }),
      { numRuns: 500, seed: 21 },
    )
  })

  it('is readable JSON where JSON has the type', () => {
    expect(encode({ hp: 7, tags: ['a', null], on: true })).toBe(
      '{"hp":7,"tags":["a",null],"on":true}',
    )
  })

  it('writes only the part of a buffer that a view shows', () => {
    const view = new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)
    expect(decodeDocument(encode(view))).toStrictEqual(new Uint8Array([2, 3]))
    expect(decodeDocument(encode(Buffer.from([5])))).toStrictEqual(new Uint8Array([5]))
  })

  it('leaves out properties that are undefined, as JSON does', () => {
    expect(encode({ a: undefined, b: 1 })).toBe('{"b":1}')
  })

  it.each([
    ['undefined', undefined, 'data is undefined'],
    ['a hole in an array', { list: [1, , 3] }, 'data.list[1] is undefined'], // oxlint-disable-line no-sparse-arrays
    ['a function', { a: { run() {} } }, 'data.a.run is a function'],
    ['a symbol', [Symbol('x')], 'data[0] is a symbol'],
    ['an instance of a class', { sword: new Sword() }, 'data.sword is an instance of Sword'],
    ['an invalid Date', new Date(Number.NaN), 'data is an invalid Date'],
    ['a promise', { p: Promise.resolve() }, 'data.p is an instance of Promise'],
    ['a DataView', new DataView(new ArrayBuffer(1)), 'data is an instance of DataView'],
    ['a value in a map', new Map([['k', () => {}]]), 'data.values[0] is a function'],
    ['a key __proto__', JSON.parse('{"__proto__":1}'), 'data.__proto__ is a key of this name'],
  ])('refuses %s and names its place', (_what, data, message) => {
    expect(codeOf(() => encode(data))).toContain(`STORE_VALUE: ${message}`)
  })

  it('refuses data that contains itself or lies too deep', () => {
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    expect(codeOf(() => encode(loop))).toContain('deeper than 64 levels, or contains itself')
    let deep: unknown = 1
    for (let level = 0; level < 64; level += 1) deep = [deep]
    expect(decodeDocument(encode(deep))).toStrictEqual(deep)
    expect(codeOf(() => encode([deep]))).toContain('STORE_VALUE')
    let maps: unknown = 1
    for (let level = 0; level < 64; level += 1) maps = new Map([[0, maps]])
    expect(decodeDocument(encode(maps))).toStrictEqual(maps)
  })

  it('refuses text over the limit, counted in bytes', () => {
    expect(encodeDocument('é', 4)).toBe('"é"')
    expect(codeOf(() => encodeDocument('é', 3))).toBe(
      'STORE_VALUE: data is 4 bytes as text, over 3',
    )
  })
})

describe('reading a document', () => {
  it.each([
    '',
    '{',
    '{"$unknown":1}',
    '{"$bigint":"1.5"}',
    '{"$bigint":1}',
    '{"$date":"today"}',
    '{"$bytes":7}',
    '{"$number":"12"}',
    '{"$array":["Uint16Array","AQ=="]}',
    '{"$array":["Function",""]}',
    '{"$map":[1]}',
    '{"$map":[[1]]}',
    '{"$set":{}}',
    '{"$bytes":"","more":1}',
    '{"more":1,"$bytes":""}',
    '{"__proto__":{"admin":true}}',
  ])('reports %j as corrupt', (text) => {
    expect(codeOf(() => decodeDocument(text))).toContain('STORE_CORRUPT')
  })

  it('reports text that is nested too deep as corrupt, however deep', () => {
    for (const depth of [300, 100_000]) {
      const text = `${'['.repeat(depth)}${']'.repeat(depth)}`
      expect(codeOf(() => decodeDocument(text))).toContain('STORE_CORRUPT')
    }
  })

  it('gives a value or a coded error for any text', () => {
    const piece = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"$map"', '"$set"', '"$array"', '"$date"', '"$bytes"'],
      ...['"$bigint"', '"$number"', '"$$x"', '"Int8Array"', '"AQ=="', '"NaN"', '1', 'null'],
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
      fc.json().map((json) => json.replaceAll('"a', '"$')),
    )
    fc.assert(
      fc.property(text, (any) => {
        expect(codeOf(() => decodeDocument(any))).toMatch(/^(no error|STORE_CORRUPT: )/)
      }),
      { numRuns: 3_000, seed: 22 },
    )
  })
})
