import { describe, expect, it } from 'vitest'
import { Json5xError } from '../src/errors.ts'
import type { ParseOptions } from '../src/options.ts'
import { parse } from '../src/parse.ts'

const messageOf = (text: string, options: ParseOptions = { filename: 'arena.json5x' }): string => {
  try {
    parse(text, options)
  } catch (error) {
    if (error instanceof Json5xError) return `\n${error.message}`
    throw error
  }
  throw new Error('it was not refused')
}

describe('Json5xError', () => {
  it('carries what a program needs, and a message for people', () => {
    let caught: unknown
    try {
      parse('{\n  gate: { port: 80x }\n}', { filename: 'a.json5' })
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(Json5xError)
    expect(caught).toMatchObject({
      name: 'Json5xError',
      code: 'JSON5X_BAD_NUMBER',
      reason: '80x is not a number; text needs quotes',
      filename: 'a.json5',
      line: 2,
      column: 17,
      offset: 18,
      path: 'gate.port',
      related: [],
    })
  })

  it('points at a missing comma', () => {
    expect(messageOf('{\n  // where players go\n  gate: {\n    host: "x" port: 1,\n  },\n}\n'))
      .toMatchInlineSnapshot(`
      "
      arena.json5x:4:15: expected "," or "}", found "port" (at gate.host)

        2 |   // where players go
        3 |   gate: {
      > 4 |     host: "x" port: 1,
          |               ^^^^
        5 |   },
        6 | }
      "
    `)
  })

  it('shows what was left open', () => {
    expect(messageOf('{\n  nodes: [\n    { id: 1 },\n\n')).toMatchInlineSnapshot(`
      "
      arena.json5x:5:1: expected a value or "]", found the end of the text (at nodes[1])

        3 |     { id: 1 },
        4 |
      > 5 |
          | ^

      the "[" was opened here, arena.json5x:2:10:

      > 2 |   nodes: [
          |          ^
      "
    `)
  })

  it('shows both of two keys', () => {
    expect(messageOf('{ port: 1,\n\thost: "x",\n\t"port": 2 }')).toMatchInlineSnapshot(`
      "
      arena.json5x:3:2: the key "port" stands twice in one object (at port)

        1 | { port: 1,
        2 |   host: "x",
      > 3 |   "port": 2 }
          |   ^^^^^^

      it stands first here, arena.json5x:1:3:

      > 1 | { port: 1,
          |   ^
      "
    `)
  })

  it('suggests what was meant', () => {
    expect(messageOf('{ a: True }')).toMatchInlineSnapshot(`
      "
      arena.json5x:1:6: expected a value, found "True": write true (at a)

      > 1 | { a: True }
          |      ^^^^
      "
    `)
    expect(messageOf('{ host: localhost }')).toMatchInlineSnapshot(`
      "
      arena.json5x:1:9: expected a value, found "localhost": text needs quotes (at host)

      > 1 | { host: localhost }
          |         ^^^^^^^^^
      "
    `)
    expect(messageOf('# settings\n{}')).toMatchInlineSnapshot(`
      "
      arena.json5x:1:1: expected a value, found "#": comments begin with // or /*

      > 1 | # settings
          | ^
        2 | {}
      "
    `)
    expect(messageOf('{ a: “b” }')).toMatchInlineSnapshot(`
      "
      arena.json5x:1:6: expected a value, found “ (U+201C): strings stand in " or ' (at a)

      > 1 | { a: “b” }
          |      ^
      "
    `)
  })

  it('puts the caret under the character after wide ones', () => {
    expect(messageOf('{ name: "中文名字", "e\u0301": 01 }', {})).toMatchInlineSnapshot(`
      "
      line 1, column 23: 01 is not a number: it must not begin with 0 (at é)

      > 1 | { name: "中文名字", "é": 01 }
          |                          ^^
      "
    `)
  })

  it('cuts long lines around the caret', () => {
    const members = Array.from({ length: 20 }, (_, index) => `"k${index + 1}": [1, 2, 3], `)
    expect(messageOf(`{ ${members.join('')}x: ] }`)).toMatchInlineSnapshot(`
      "
      arena.json5x:1:357: expected a value, found "]" (at x)

      > 1 | … 2, 3], "k19": [1, 2, 3], "k20": [1, 2, 3], x: ] }
          |                                                 ^
      "
    `)
  })

  it('names both places of a macro', () => {
    expect(
      messageOf('{\n  $MACRO$: {\n    GATES: ["a", "b"],\n  },\n  url: "tcp://$GATES$:80",\n}'),
    ).toMatchInlineSnapshot(`
      "
      arena.json5x:5:15: $GATES$ is an array; it can be a whole value but no part of a longer text (at url)

        3 |     GATES: ["a", "b"],
        4 |   },
      > 5 |   url: "tcp://$GATES$:80",
          |               ^^^^^^^
        6 | }

      GATES is defined here, arena.json5x:3:5:

      > 3 |     GATES: ["a", "b"],
          |     ^
      "
    `)
    expect(messageOf("{\n  url: '$A$',\n  $MACRO$: {\n    A: '$B$',\n    B: '$A$',\n  },\n}"))
      .toMatchInlineSnapshot(`
      "
      arena.json5x:5:9: macros lead in a circle: A -> B -> A (at $MACRO$.B)

        3 |   $MACRO$: {
        4 |     A: '$B$',
      > 5 |     B: '$A$',
          |         ^^^
        6 |   },
        7 | }

      A is defined here, arena.json5x:4:5:

      > 4 |     A: '$B$',
          |     ^

      A is used here, arena.json5x:2:9:

      > 2 |   url: '$A$',
          |         ^
      "
    `)
  })
})
