import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Json5xError } from '../src/errors.ts'
import type { ParseOptions } from '../src/options.ts'
import { parse } from '../src/parse.ts'

fc.configureGlobal({ seed: 20_261_122 })

const refused = (text: string, options: ParseOptions = {}): Json5xError => {
  try {
    parse(text, options)
  } catch (error) {
    if (error instanceof Json5xError) return error
    throw error
  }
  throw new Error(`${text} was not refused`)
}

describe('a reference that is the whole string', () => {
  it('becomes the value with its type', () => {
    const text = `{
      $MACRO$: { I: 7080, F: 1.5, B: true, N: null, S: 'x', A: [1, { b: 2 }], O: { c: [3] } },
      i: "$I$", f: "$F$", b: "$B$", n: "$N$", s: "$S$", a: "$A$", o: "$O$",
    }`
    const o = { c: [3] }
    expect(parse(text)).toEqual({ i: 7080, f: 1.5, b: true, n: null, s: 'x', a: [1, { b: 2 }], o })
  })

  it('is copied deeply, so that two uses share nothing', () => {
    const value = parse('{$MACRO$: {A: {b: [1]}}, x: "$A$", y: "$A$"}') as Record<string, unknown>
    expect(value['x']).toEqual({ b: [1] })
    expect(value['x']).not.toBe(value['y'])
    const macros = { A: { b: [1] } }
    const { x } = parse('{x: "$A$"}', { macros }) as { x: { b: number[] } }
    x.b.push(2)
    expect(macros).toEqual({ A: { b: [1] } })
  })

  it('may be the whole document', () => {
    expect(parse('"$A$"', { macros: { A: [1] } })).toEqual([1])
    expect(parse('["$A$"]', { macros: { A: 1 } })).toEqual([1])
  })

  it('keeps __proto__ an own property', () => {
    const { x } = parse('{$MACRO$: {A: {__proto__: {y: 1}}}, x: "$A$"}') as { x: object }
    expect(Object.keys(x)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(x)).toBe(Object.prototype)
  })
})

describe('a reference inside a longer string', () => {
  it('is inserted as text', () => {
    const text = `{$MACRO$: {IP: '10.0.0.1', PORT: 80, ON: true, NO: null},
      url: "http://$IP$:$PORT$/", all: "$IP$$PORT$", more: "$ON$,$NO$"}`
    expect(parse(text)).toEqual({
      url: 'http://10.0.0.1:80/',
      all: '10.0.0.180',
      more: 'true,null',
    })
  })

  it('writes numbers as the document does', () => {
    const text = `{$MACRO$: {V: 1.50, H: 0x1F, P: +5, L: [2.0], A: '$V$', C: {l: '$L$'}},
      v: "v$V$", h: "$H$!", p: "$P$!", l: "$L.0$!", a: "v$A$", c: "$C.l.0$!", n: "$V$"}`
    expect(parse(text)).toEqual({
      ...{ v: 'v1.50', h: '0x1F!', p: '+5!', l: '2.0!', a: 'v1.50', c: '2.0!', n: 1.5 },
    })
  })

  it('cannot be an array or an object', () => {
    for (const value of ['[1]', '{b:1}']) {
      const error = refused(`{$MACRO$: {A: ${value}}, x: "-$A$"}`)
      expect(error.code).toBe('JSON5X_MACRO_TYPE')
      expect(error.related).toMatchObject([{ note: 'A is defined here', column: 12 }])
    }
  })
})

describe('a reference in a key', () => {
  it('is inserted as text and keeps the place of the member', () => {
    const text = `{a: 1, $ENV$_db: {"$N$": 2}, "x $ENV$": 3, z: 4, $MACRO$: {ENV: 'test', N: 7}}`
    expect(parse(text)).toEqual({ a: 1, test_db: { 7: 2 }, 'x test': 3, z: 4 })
    expect(Object.keys(parse(text) as object)).toEqual(['a', 'test_db', 'x test', 'z'])
  })

  it('may not make a key that is there already, even where the last one wins', () => {
    for (const text of ['{"$A$": 1, x: 2}', '{x: 1, "$A$": 2}', '{"$A$": 1, "$B$": 2}']) {
      const error = refused(text, { macros: { A: 'x', B: 'x' }, duplicateKeys: 'last' })
      expect(error.code).toBe('JSON5X_DUPLICATE_KEY')
      expect(error.reason).toContain('becomes "x"')
    }
  })

  it('cannot be an array or an object', () => {
    expect(refused('{"$A$": 1}', { macros: { A: [] } })).toMatchObject({
      code: 'JSON5X_MACRO_TYPE',
      reason: expect.stringContaining('given by the caller'),
    })
  })
})

describe('what is no reference', () => {
  it.each([
    '$5.00',
    'a$b',
    '100$',
    '$',
    '$$',
    '$a b$',
    '$-$',
    '$A.$',
    '$.a$',
    '$1A$',
    '$A:=x',
    '$A:',
  ])('leaves "%s" as it is', (text) => {
    expect(parse(JSON.stringify([text]), { macros: { A: 1 } })).toEqual([text])
  })

  it('allows names of 64 characters and no longer', () => {
    const name = 'A'.repeat(64)
    expect(parse(`["$${name}$", "$${name}A$"]`, { macros: { [name]: 1 } })).toEqual([
      1,
      `$${name}A$`,
    ])
  })

  it('reads a doubled $ before a reference as an escape', () => {
    const macros = { IP: 'x' }
    expect(parse('["$$IP$", "a$$IP$b$IP$", "$$IP$$"]', { macros })).toEqual([
      '$IP$',
      'a$IP$bx',
      '$IP$$',
    ])
    expect(parse('["$A$B$", "$A$$B$"]', { macros: { A: 1, B: 2 } })).toEqual(['1B$', '12'])
  })
})

describe('paths', () => {
  it('lead to members and elements', () => {
    const text = `{$MACRO$: {DB: {hosts: ['a', 'b'], 'my-key': {x_1: 5}}},
      first: "$DB.hosts.0$", url: "tcp://$DB.hosts.1$", deep: "$DB.my-key.x_1$", all: "$DB.hosts$"}`
    expect(parse(text)).toEqual({ first: 'a', url: 'tcp://b', deep: 5, all: ['a', 'b'] })
  })

  it('see only what the document says', () => {
    for (const path of ['A.length', 'A.9', 'B.toString', 'S.length', 'S.0', 'B.c.d'])
      expect(refused(`{$MACRO$: {A: [1], B: {c: 1}, S: 'x'}, x: "$${path}$"}`)).toMatchObject({
        code: 'JSON5X_MACRO_UNKNOWN',
        related: [{ note: `${path[0]} is defined here` }],
      })
    expect(refused('{$MACRO$: {}, x: "$toString$"}').code).toBe('JSON5X_MACRO_UNKNOWN')
  })
})

describe('the table', () => {
  it('may stand anywhere and refer forward and backward', () => {
    const table = `$MACRO$: {URL: 'http://$HOST$/$PATH$', HOST: '$IP$:80', PATH: 'x', IP: '::1', L: ['$PATH$']}`
    const expected = { a: 'http://::1:80/x', l: ['x'] }
    expect(parse(`{${table}, a: "$URL$", l: "$L$"}`)).toEqual(expected)
    expect(parse(`{a: "$URL$", l: "$L$", ${table}}`)).toEqual(expected)
  })

  it('is not part of the result unless asked for, and then resolved', () => {
    const text = `{$MACRO$: {A: '$B$!', B: 1, C: {'k$B$': '$B$'}}, x: "$A$"}`
    expect(parse(text)).toEqual({ x: '1!' })
    expect(parse(text, { keepMacroTable: true, macros: { B: 2, A: ['a'] } })).toEqual({
      $MACRO$: { A: ['a'], B: 2, C: { k2: 2 } },
      x: ['a'],
    })
    expect(parse(text, { keepMacroTable: true })).toEqual({
      $MACRO$: { A: '1!', B: 1, C: { k1: 1 } },
      x: '1!',
    })
  })

  it('must be an object, and one', () => {
    for (const value of ['[]', '1', 'null', '"$A$"'])
      expect(refused(`{$MACRO$: ${value}}`).code).toBe('JSON5X_MACRO_TABLE')
    const twice = '{$MACRO$: {}, $MACRO$: {}}'
    expect(refused(twice, { duplicateKeys: 'last' }).code).toBe('JSON5X_DUPLICATE_KEY')
  })

  it('holds only names that can be referred to', () => {
    expect(refused('{$MACRO$: {"a-b": 1}}')).toMatchObject({
      code: 'JSON5X_MACRO_NAME',
      column: 12,
    })
    expect(refused('{$MACRO$: {env: 1}}', { env: {} }).code).toBe('JSON5X_MACRO_NAME')
    expect(parse('{$MACRO$: {env: 1}, x: "$env$"}')).toEqual({ x: 1 })
  })

  it('reports mistakes in entries that nothing uses', () => {
    expect(refused('{$MACRO$: {A: "$B$"}}')).toMatchObject({ path: '$MACRO$.A', column: 16 })
  })

  it('takes the last entry of a name where the last one wins', () => {
    const text = '{$MACRO$: {A: "$NO$", A: 2}, x: "$A$", x: "-$A$"}'
    expect(parse(text, { duplicateKeys: 'last' })).toEqual({ x: '-2' })
  })
})

describe('circles', () => {
  it('are errors that print the way round', () => {
    const error = refused(`{x: '$A$', $MACRO$: {A: '$B$', B: {c: ['$C.d$']}, C: {d: '-$A$'}}}`)
    expect(error.code).toBe('JSON5X_MACRO_CYCLE')
    expect(error.reason).toBe('macros lead in a circle: A -> B -> C -> A')
    expect(error.related.map(({ note }) => note)).toEqual(['A is defined here', 'A is used here'])
    expect(refused(`{$MACRO$: {A: '$A$'}}`).reason).toContain('A -> A')
    expect(refused(`{$MACRO$: {A: {b: 1, c: '$A.b$'}}}`).reason).toContain('A -> A')
  })

  it('do not exist where two ways lead to one macro', () => {
    const text = `{$MACRO$: {A: '$B$$C$', B: '$D$', C: '$D$', D: 1}, x: '$A$'}`
    expect(parse(text)).toEqual({ x: '11' })
  })
})

describe('defaults', () => {
  it('stand in for what does not exist, as a scalar where they are one', () => {
    const text = `["$P:=8080$", "$P:=-0x1F$", "$P:=true$", "$P:=null$", "$P:='a b'$", "$P:=local host$",
      "$P:=$", "$P:=[1]$", "$P:={a:1}$", "$O.q:=2$", "http://$H:=localhost$:$P:=080$", "$O.p:=9$"]`
    expect(parse(text, { macros: { O: { p: 1 } } })).toEqual([
      ...[8080, -31, true, null, 'a b', 'local host', '', '[1]', '{a:1}', 2],
      ...['http://localhost:080', 1],
    ])
  })
})

describe('unknown names', () => {
  it('are errors with the nearest names', () => {
    const error = refused(
      '{$MACRO$: {GATE_HOST: 1, GAME_HOST: 2, PORT: 3}, x: "http://$GATE_HOTS$"}',
    )
    expect(error).toMatchObject({ code: 'JSON5X_MACRO_UNKNOWN', path: 'x' })
    expect(error.reason).toContain('did you mean GATE_HOST')
    expect(error.frame).toMatch(/\n +\| +\^{11}$/)
    expect(refused('["$ZZZ$"]', { macros: { A: 1 } }).reason).toBe('no macro is named ZZZ')
  })

  it('stay as they are when told so', () => {
    const text = '{"$K$": "$A.b$", y: "-$B$-$C$", z: "$D:=1$"}'
    expect(parse(text, { onUnknown: 'keep', macros: { C: 3 } })).toEqual({
      ...{ $K$: '$A.b$', y: '-$B$-3', z: 1 },
    })
  })
})

describe("the caller's macros and the environment", () => {
  it('win over the table', () => {
    const text = `{$MACRO$: {A: 'table', B: '$A$!'}, x: '$A$', y: '$B$'}`
    expect(parse(text, { macros: { A: 'caller' } })).toEqual({ x: 'caller', y: 'caller!' })
    expect(parse(`{$MACRO$: {A: '$A$'}, x: '$A$'}`, { macros: { A: 1 } })).toEqual({ x: 1 })
  })

  it('are text from the environment only where they are allowed', () => {
    const env = { PORT: '7080', EMPTY: '', GONE: undefined }
    const text = '["$env.PORT$", ":$env.PORT$", "$env.EMPTY$", "$env.GONE:=1$", "$env.NO:=2$"]'
    expect(parse(text, { env })).toEqual(['7080', ':7080', '', 1, 2])
    expect(refused('["$env.HOME$"]', { env }).reason).toContain('env.HOME does not exist')
    expect(refused('["$env$"]', { env }).code).toBe('JSON5X_MACRO_UNKNOWN')
    expect(refused('["$env.toString$"]', { env }).code).toBe('JSON5X_MACRO_UNKNOWN')
    expect(refused('["$env.PORT$"]', { macros: {} }).code).toBe('JSON5X_MACRO_UNKNOWN')
  })

  it('are inserted as they are, whatever characters they hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = '{a: "$V$", b: "<$V$>", c: ["$W.0$"], d: "$env.E$"}'
        const options = { macros: { V: value, W: [value] }, env: { E: value } }
        expect(parse(text, options)).toEqual({ a: value, b: `<${value}>`, c: [value], d: value })
      }),
    )
    expect(parse('["$A$", "-$A$"]', { macros: { A: '$B$", "', B: 1 } })).toEqual([
      '$B$", "',
      '-$B$", "',
    ])
  })
})

describe('limits', () => {
  it('allow 32 macros in a row and no more', () => {
    const chain = (length: number): string => {
      const entries = Array.from({ length }, (_, index) => `M${index}: "$M${index + 1}$"`)
      return `{x: "$M0$", $MACRO$: {${entries.join(', ')}, M${length}: 1}}`
    }
    expect(parse(chain(31))).toEqual({ x: 1 })
    expect(refused(chain(32)).code).toBe('JSON5X_MACRO_LIMIT')
  })

  it('stop a document that doubles itself with every entry', () => {
    const entries = (make: (next: string) => string): string =>
      Array.from({ length: 30 }, (_, index) => `M${index}: ${make(`$M${index + 1}$`)}`).join(', ')
    const texts = entries((next) => `"${next}${next}"`)
    const arrays = entries((next) => `["${next}", "${next}"]`)
    for (const table of [texts, arrays])
      expect(
        refused(`{$MACRO$: {${table}, M30: "xxxxxxxx"}, x: "$M0$"}`, { maxExpansion: 1e6 }).code,
      ).toBe('JSON5X_MACRO_LIMIT')
    expect(refused('["$A$"]', { macros: { A: 'xxx' }, maxExpansion: 2 }).reason).toContain(
      'more than 2',
    )
    expect(
      parse('["$A$", "a long text and $"]', { macros: { A: 'xx' }, maxExpansion: 2 }),
    ).toHaveLength(2)
  })

  it('hold the depth of the result', () => {
    const text = '{$MACRO$: {A: [[1]]}, x: ["$A$"]}'
    expect(parse(text, { maxDepth: 4 })).toEqual({ x: [[[1]]] })
    expect(refused(text, { maxDepth: 3 }).code).toBe('JSON5X_TOO_DEEP')
  })
})

describe("compat: 'enhanced-json'", () => {
  const compat = 'enhanced-json'
  it('reads documents as they were written for that format', () => {
    const text = `{
      "$MACRO$": {
        "LOCAL_IP": "127.0.0.1", // where we are
        "PORT": 8888,
      },
      "servers": [
        // {"ip": "10.0.0.1", "port": 1},
        {"ip": "$LOCAL_IP$", "port": "$PORT$"}, /* the only one */
      ],
      "other": "$NOT_KNOWN$",
    }`
    expect(parse(text, { compat })).toEqual({
      $MACRO$: { LOCAL_IP: '127.0.0.1', PORT: 8888 },
      servers: [{ ip: '127.0.0.1', port: 8888 }],
      other: '$NOT_KNOWN$',
    })
  })

  it('needs the table', () => {
    expect(refused('{a: 1}', { compat }).code).toBe('JSON5X_MACRO_TABLE')
    expect(refused('[]', { compat }).code).toBe('JSON5X_MACRO_TABLE')
  })
})
