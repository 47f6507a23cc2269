import { describe, expect, it } from 'vitest'
import { parseNatively } from '../src/native.ts'
import { settingsOf, type ParseOptions } from '../src/options.ts'

const natively = (text: string, options: ParseOptions = {}): unknown =>
  parseNatively(text, settingsOf(options))?.value

describe('parseNatively', () => {
  it('answers for JSON in which our rules see nothing else', () => {
    expect(natively('{"a": [1, {"b:": "\\\\\\":"}], "c": {}}')).toEqual({
      ...{ a: [1, { 'b:': '\\":' }], c: {} },
    })
    expect(natively(' "x" ')).toBe('x')
    expect(natively('null')).toBeNull()
  })

  it('leaves to the parser what is no JSON', () => {
    for (const text of ['', '{a:1}', '[1,]', '// a\n1', "'a'", 'NaN'])
      expect(natively(text)).toBeUndefined()
  })

  it('leaves to the parser keys that stand twice, unless the last one wins', () => {
    expect(natively('[{"a": 1, "a": 2}]')).toBeUndefined()
    expect(natively('[{"a": 1, "a": 2}]', { duplicateKeys: 'last' })).toEqual([{ a: 2 }])
  })

  it('leaves to the parser what is too deep, and macro tables', () => {
    expect(natively('[[[]]]', { maxDepth: 2 })).toBeUndefined()
    expect(natively('{"\\u0024MACRO$": {}}')).toBeUndefined()
  })
})
