import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { piecesOf } from '../src/reference.ts'

fc.configureGlobal({ seed: 20_261_122 })

const unit = fc.constantFrom('$', 'A', '.', ':', '=', 'b', '1', '-', ' ')

describe('piecesOf', () => {
  it('splits a string into text and references, left to right', () => {
    expect([...piecesOf('a$B.c.0:=d e$f')]).toEqual([
      { kind: 'text', text: 'a' },
      {
        kind: 'reference',
        index: 1,
        reference: { text: '$B.c.0:=d e$', name: 'B', segments: ['c', '0'], fallback: 'd e' },
      },
      { kind: 'text', text: 'f' },
    ])
  })

  it('gives the string back when references stand for themselves and nothing is escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        fc.pre(!text.includes('$$'))
        const parts = [...piecesOf(text)].map((piece) =>
          piece.kind === 'text' ? piece.text : piece.reference.text,
        )
        expect(parts.join('')).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })

  it('takes every $ of an escaped text as text once', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('A', '.', 'b', ' ') }), (name) => {
        fc.pre(/^[Ab]+(\.[Ab]+)*$/.test(name))
        expect([...piecesOf(`$$${name}$`)]).toEqual([{ kind: 'text', text: `$${name}$` }])
      }),
    )
  })
})
