import { describe, expect, it } from 'vitest'
import { Json5xError } from '../src/errors.ts'
import { Parser } from '../src/parser.ts'

const read = (text: string, maxDepth = 128): unknown =>
  new Parser(text, { filename: undefined, allowsDuplicates: false, maxDepth }).document()

const refused = (text: string): Json5xError => {
  try {
    read(text)
  } catch (error) {
    if (error instanceof Json5xError) return error
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was not refused`)
}

describe('JSON5 1.0: what is a document', () => {
  const accepted: readonly (readonly [title: string, text: string, value: unknown])[] = [
    ['null', 'null', null],
    ['true', ' true ', true],
    ['false', '\tfalse\n', false],
    ['an empty object', '{}', {}],
    ['an empty array', '[]', []],
    ['a trailing comma in an object', '{a:1,}', { a: 1 }],
    ['a trailing comma in an array', '[1,]', [1]],
    ['nested containers', '[[[{a:[{}]}]]]', [[[{ a: [{}] }]]]],
    ['keys in double quotes', '{"a b":1}', { 'a b': 1 }],
    ['keys in single quotes', `{'a"b':1}`, { 'a"b': 1 }],
    ['an empty key', '{"":1}', { '': 1 }],
    ['keys with $, _ and digits', '{$_a1:1, _$:2, $:3}', { $_a1: 1, _$: 2, $: 3 }],
    [
      'reserved words and literals as keys',
      '{null:1, true:2, while:3, Infinity:4, NaN:5}',
      { null: 1, true: 2, while: 3, Infinity: 4, NaN: 5 },
    ],
    ['keys with letters of any script', '{ümlåût:1, 键:2, ключ:3}', { ümlåût: 1, 键: 2, ключ: 3 }],
    ['keys with unicode escapes', '{sig\\u03A3ma:1, \\u0061b:2}', { sigΣma: 1, ab: 2 }],
    [
      'keys with combining marks and joiners',
      '{a\u0301\u200C\u200D:1}',
      { 'a\u0301\u200C\u200D': 1 },
    ],
    [
      'names of Object.prototype as keys',
      '{toString:1, constructor:2, hasOwnProperty:3}',
      {
        toString: 1,
        constructor: 2,
        hasOwnProperty: 3,
      },
    ],
    ['a line comment', '// a\n1 // b', 1],
    [
      'a line comment ended by each line terminator',
      '[1//a\r,2//b\u2028,3//c\u2029,4]',
      [1, 2, 3, 4],
    ],
    ['a line comment at the end without a line break', '1//', 1],
    ['a block comment', '/* a */ 1 /**/', 1],
    ['a block comment over lines, with stars', '/***\n * x\n **/[/*,*/]', []],
    ['comments between all tokens', '{/*1*/a/*2*/:/*3*/1/*4*/,/*5*/}', { a: 1 }],
    ['what looks like comments inside strings', '["//a", "/*b*/"]', ['//a', '/*b*/']],
    [
      'every white space',
      '\t\v\f \u00A0\uFEFF\n\r\u2028\u2029\u1680\u2003\u3000[\u202F1\u205F]',
      [1],
    ],
    ['strings in double and single quotes', `["it's", 'say "x"']`, ["it's", 'say "x"']],
    ['simple escapes', `'\\b\\f\\n\\r\\t\\v\\\\\\'\\"\\/'`, '\b\f\n\r\t\v\\\'"/'],
    ['escapes that stand for the character itself', `'\\a\\d\\A\\ö\\ '`, 'adAö '],
    ['hexadecimal and unicode escapes', `'\\x41\\u00e9\\uD83D\\uDE00'`, 'Aé😀'],
    ['the null escape', `'\\0a'`, '\0a'],
    ['continued lines', `'a\\\nb\\\r\nc\\\rd\\\u2028e\\\u2029f'`, 'abcdef'],
    ['raw tabs and control characters in strings', "'a\tb\u0001'", 'a\tb\u0001'],
    ['raw line and paragraph separators in strings', "'\u2028\u2029'", '\u2028\u2029'],
    ['lone surrogates', `['\\uD800', '\uDC00']`, ['\uD800', '\uDC00']],
    ['integers', '[0, 1, -1, +1, 9007199254740993]', [0, 1, -1, 1, 9007199254740992]],
    ['fractions', '[0.5, .5, 5., -.5, +5.]', [0.5, 0.5, 5, -0.5, 5]],
    ['exponents', '[1e3, 1E+3, 1e-3, 5.e2, .5e1, 0e0]', [1000, 1000, 0.001, 500, 5, 0]],
    ['hexadecimal', '[0x0, 0XFF, -0x10, +0xdecaf]', [0, 255, -16, 0xdecaf]],
    ['hexadecimal beyond 64 bits', '0x100000000000000000000', 2 ** 80],
    [
      'infinities and NaN',
      '[Infinity, -Infinity, +Infinity, NaN, -NaN]',
      [
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.POSITIVE_INFINITY,
        Number.NaN,
        Number.NaN,
      ],
    ],
    ['negative zero', '[-0, -0x0, -0.0]', [-0, -0, -0]],
    [
      'numbers too large and too small',
      '[1e999, -1e999, 1e-999]',
      [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0],
    ],
  ]
  it.each(accepted)('accepts %s', (_title, text, value) => {
    expect(read(text)).toStrictEqual(value)
  })
})

describe('JSON5 1.0: what is none', () => {
  const rejected: readonly (readonly [
    title: string,
    text: string,
    code: string,
    offset: number,
  ])[] = [
    ['an empty text', '', 'JSON5X_UNEXPECTED_END', 0],
    ['only a comment', ' // a', 'JSON5X_UNEXPECTED_END', 5],
    ['two values', '1 2', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['a bracket too many', '[]]', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['an open object', '{a:1', 'JSON5X_UNEXPECTED_END', 4],
    ['an open array', '[1,', 'JSON5X_UNEXPECTED_END', 3],
    ['the wrong bracket', '[1}', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['only a comma in an array', '[,]', 'JSON5X_UNEXPECTED_TOKEN', 1],
    ['only a comma in an object', '{,}', 'JSON5X_UNEXPECTED_TOKEN', 1],
    ['two commas', '[1,,]', 'JSON5X_UNEXPECTED_TOKEN', 3],
    ['a missing comma', '[1 2]', 'JSON5X_UNEXPECTED_TOKEN', 3],
    ['a missing colon', '{a 1}', 'JSON5X_UNEXPECTED_TOKEN', 3],
    ['a missing value', '{a:}', 'JSON5X_UNEXPECTED_TOKEN', 3],
    ['a key without a value', '{a}', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['a number as a key', '{1:1}', 'JSON5X_UNEXPECTED_TOKEN', 1],
    ['a key with a minus', '{a-b:1}', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['a key whose escape is no letter', '{\\u0020a:1}', 'JSON5X_BAD_KEY', 1],
    ['a key that begins with an escaped digit', '{\\u0031:1}', 'JSON5X_BAD_KEY', 1],
    ['a value of another language', '[True]', 'JSON5X_UNEXPECTED_TOKEN', 1],
    ['a literal in capitals', 'NULL', 'JSON5X_UNEXPECTED_TOKEN', 0],
    ['a literal written with escapes', '\\u0074rue', 'JSON5X_UNEXPECTED_TOKEN', 0],
    ['a hash comment', '# a', 'JSON5X_UNEXPECTED_TOKEN', 0],
    ['an open block comment', '[1 /* ]', 'JSON5X_BAD_COMMENT', 3],
    ['a block comment inside another', '/* /* */ */ 1', 'JSON5X_UNEXPECTED_TOKEN', 9],
    ['a lone slash', '1 /', 'JSON5X_UNEXPECTED_TOKEN', 2],
    ['an open string', '"a', 'JSON5X_UNEXPECTED_END', 0],
    ['a string that ends in a backslash', '"a\\', 'JSON5X_UNEXPECTED_END', 0],
    ['a line feed in a string', '"a\nb"', 'JSON5X_BAD_STRING', 2],
    ['a carriage return in a string', "'a\rb'", 'JSON5X_BAD_STRING', 2],
    ['a short hexadecimal escape', '"\\x4"', 'JSON5X_BAD_ESCAPE', 1],
    ['a short unicode escape', '"\\u12g4"', 'JSON5X_BAD_ESCAPE', 1],
    ['octal escapes', '"\\1"', 'JSON5X_BAD_ESCAPE', 1],
    ['the null escape before a digit', '"\\01"', 'JSON5X_BAD_ESCAPE', 1],
    ['a leading zero', '01', 'JSON5X_BAD_NUMBER', 0],
    ['a leading zero that is not octal', '-08', 'JSON5X_BAD_NUMBER', 0],
    ['a lone point', '.', 'JSON5X_BAD_NUMBER', 0],
    ['a lone sign', '-', 'JSON5X_BAD_NUMBER', 0],
    ['a sign apart', '- 1', 'JSON5X_BAD_NUMBER', 0],
    ['two signs', '--1', 'JSON5X_BAD_NUMBER', 0],
    ['an empty exponent', '1e', 'JSON5X_BAD_NUMBER', 0],
    ['empty hexadecimal', '0x', 'JSON5X_BAD_NUMBER', 0],
    ['a hexadecimal fraction', '0x1.8', 'JSON5X_BAD_NUMBER', 0],
    ['binary', '0b1', 'JSON5X_BAD_NUMBER', 0],
    ['grouped digits', '1_000', 'JSON5X_BAD_NUMBER', 0],
    ['two points', '1.2.3', 'JSON5X_BAD_NUMBER', 0],
    ['a unit', '10px', 'JSON5X_BAD_NUMBER', 0],
    ['a null character', '[\0]', 'JSON5X_UNEXPECTED_TOKEN', 1],
  ]
  it.each(rejected)('refuses %s', (_title, text, code, offset) => {
    const error = refused(text)
    expect([error.code, error.offset]).toEqual([code, offset])
  })
})

describe('objects', () => {
  it('keeps the order of keys', () => {
    expect(Object.keys(read('{z:1, a:2, "m":3}') as object)).toEqual(['z', 'a', 'm'])
  })

  it('makes __proto__ an own property and leaves the prototype alone', () => {
    const value = read('{__proto__: {isAdmin: true}, "a": {"__proto__": null}}') as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__', 'a'])
    expect('isAdmin' in value).toBe(false)
  })

  it('refuses a key that stands twice, however it is written, and says where it stands first', () => {
    for (const text of ['{ab:1, "ab":2}', "{'ab':1, a\\u0062:2}", '{"ab":1, "\\x61b":2}']) {
      const error = refused(text)
      expect(error.code).toBe('JSON5X_DUPLICATE_KEY')
      expect(error.offset).toBe(text.indexOf(' ') + 1)
      expect(error.related).toMatchObject([{ note: 'it stands first here', offset: 1 }])
    }
  })

  it('finds the first of two keys past members of every kind', () => {
    const error = refused(`{x:{a:1}, 'y':[1,{a:2}], /* a: */ a /**/ : "a:", z:-0x1, a:3}`)
    expect(error).toMatchObject({ path: 'a', related: [{ offset: 34 }] })
  })

  it('allows one key in two objects', () => {
    expect(read('[{a:1},{a:{a:2}}]')).toEqual([{ a: 1 }, { a: { a: 2 } }])
  })
})

describe('depth', () => {
  it('allows as many levels as the limit and no more', () => {
    expect(read('[{a:[]}]', 3)).toEqual([{ a: [] }])
    expect(() => read('[{a:[[]]}]', 3)).toThrow('nested deeper than 3 levels')
  })

  it('refuses a million brackets without running out of stack', () => {
    expect(refused('['.repeat(1_000_000)).code).toBe('JSON5X_TOO_DEEP')
    expect(() => read('[{a:'.repeat(500), 1000)).toThrow('the end of the text')
  })
})

describe('paths', () => {
  it.each([
    ['{a:{b:[1,{c:?}]}}', 'a.b[1].c'],
    ['[[],[1,?]]', '[1][1]'],
    ['{"a b":{"c":?}}', '["a b"].c'],
    ['{a:1, b:{c:2}, ?}', ''],
    ['{a:{b:1} ?}', 'a'],
    ['?', ''],
  ])('of the character ? in %s is "%s"', (text, path) => {
    expect(refused(text).path).toBe(path)
  })
})
