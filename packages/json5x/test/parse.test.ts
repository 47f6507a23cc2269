import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Json5xError } from '../src/errors.ts'
import { parse } from '../src/parse.ts'
import { Parser } from '../src/parser.ts'
import { anySpelling } from './spelling.ts'

fc.configureGlobal({ seed: 20_261_122 })

const own = (text: string, allowsDuplicates = false): unknown =>
  new Parser(text, { filename: undefined, allowsDuplicates, maxDepth: 128 }).document()

describe('beside JSON.parse', () => {
  it('gives the same value for every JSON text, natively and by the parser', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 5 }),
        fc.constantFrom('', ' ', '\t'),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent)
          const expected: unknown = JSON.parse(text)
          expect(parse(text)).toStrictEqual(expected)
          expect(own(text)).toStrictEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('gives the same value for every number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        for (const text of [JSON.stringify(number), number.toExponential(), number.toFixed(3)])
          expect(own(text)).toBe(JSON.parse(text))
      }),
    )
  })

  it('accepts whatever JSON.parse accepts among damaged texts, with the same value', () => {
    const damaged = fc
      .tuple(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.constantFrom(...'{}[]",:\\u0 1-e.tn\n$'))
      .map(([value, at, character]) => {
        const text = JSON.stringify(value)
        const index = at % (text.length + 1)
        return text.slice(0, index) + character + text.slice(index + (at % 2))
      })
    fc.assert(
      fc.property(damaged, (text) => {
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          return
        }
        expect(parse(text, { duplicateKeys: 'last' })).toStrictEqual(expected)
        expect(own(text, true)).toStrictEqual(expected)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('parse', () => {
  it('reads a value back from any JSON5 spelling of it', () => {
    fc.assert(
      fc.property(anySpelling, ({ text, value }) => {
        expect(parse(text)).toStrictEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  it('gives a value or a Json5xError for any text', () => {
    const pieces = fc.constantFrom(
      ...`{ } [ ] : , " ' \\ / // /* */ # $ $MACRO$ $A$ $A.b$ $A:=1$ $$A$ $env.B$ A b _ 0 1 - + . 0x e`.split(
        ' ',
      ),
      ...[
        '\n',
        '\r',
        '\u2028',
        '\uFEFF',
        '\0',
        '\uD800',
        '😀',
        'é',
        '\\u0061',
        '__proto__',
        'null',
      ],
      ...['{$MACRO$:{', 'A:', '"$A$",', '{a:', '[1,', 'true', 'NaN', '"x"', "'$A$$B$'", ' '],
    )
    const options = fc.constantFrom(
      {},
      { duplicateKeys: 'last' } as const,
      { macros: { A: { b: [1, 'x'] }, B: '$A$' } },
      { env: { B: 'b' }, keepMacroTable: true },
      { compat: 'enhanced-json', maxExpansion: 20, maxDepth: 3 } as const,
    )
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 30 }).map((all) => all.join('')),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.tuple(anySpelling, fc.nat(), pieces).map(([{ text }, at, piece]) => {
        const index = at % (text.length + 1)
        return text.slice(0, index) + piece + text.slice(index + (at % 3))
      }),
    )
    fc.assert(
      fc.property(texts, options, (text, chosen) => {
        try {
          parse(text, chosen)
        } catch (error) {
          if (!(error instanceof Json5xError)) throw error
          expect(error.offset).toBeLessThanOrEqual(text.length)
          expect(error.frame).toMatch(/^> *\d+ \|[^\n]*\n +\| +\^+/m)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('refuses duplicate keys in JSON too, unless told that the last wins', () => {
    const text = '{"a": 1, "b": {"c:": ":\\"", "c:": 2}}'
    expect(() => parse(text)).toThrow('the key "c:" stands twice')
    expect(parse(text, { duplicateKeys: 'last' })).toEqual({ a: 1, b: { 'c:': 2 } })
  })

  it('holds the depth limit for JSON too', () => {
    expect(parse('[{"a":[1]}]', { maxDepth: 3 })).toEqual([{ a: [1] }])
    expect(() => parse('[{"a":[[]]}]', { maxDepth: 3 })).toThrow('nested deeper than 3 levels')
    expect(() => parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)).toThrow(Json5xError)
  })

  it('gives __proto__ as an own property whichever way it went', () => {
    for (const text of ['{"__proto__": {"a": 1}}', '{__proto__: {a: 1}}']) {
      const value = parse(text) as object
      expect(Object.entries(value)).toEqual([['__proto__', { a: 1 }]])
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
  })

  it('leaves $ alone in a document without macros', () => {
    expect(parse('{a: "$A$", "$B$": "$$A$"}')).toEqual({ a: '$A$', $B$: '$$A$' })
    expect(parse('{a: {$MACRO$: {A: 1}}, b: "$A$"}')).toEqual({
      a: { $MACRO$: { A: 1 } },
      b: '$A$',
    })
  })

  it('sees the macro table however its name is written', () => {
    for (const key of ['$MACRO$', '"$MACRO$"', "'\\x24MACRO$'", '\\u0024MACRO$', '"$M\\u0041CRO$"'])
      expect(parse(`{${key}: {A: 1}, b: "$A$"}`)).toEqual({ b: 1 })
  })

  it('says which option is wrong', () => {
    expect(() => parse('1', { maxDepth: 0 })).toThrow('maxDepth must be a whole number from 1')
    expect(() => parse('1', { maxDepth: 1001 })).toThrow(RangeError)
    expect(() => parse('1', { duplicateKeys: 'first' as never })).toThrow(
      'duplicateKeys must be one of error, last, not first',
    )
    expect(() => parse('1', { macros: { 'a-b': 1 } })).toThrow('"a-b" is no macro name')
    expect(() => parse('1', { macros: { A: { f: (() => 1) as never } } })).toThrow(
      'macros.A.f must be a JSON value, not function',
    )
    expect(() => parse(new Uint8Array(1) as never)).toThrow('the text must be a string, not object')
    const loop: Record<string, never> = {}
    loop['self'] = loop as never
    expect(() => parse('1', { macros: { A: loop } })).toThrow('nested too deeply, or in itself')
  })
})
