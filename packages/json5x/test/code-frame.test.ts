import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeFrame } from '../src/code-frame.ts'

fc.configureGlobal({ seed: 20_261_122 })

describe('codeFrame', () => {
  it('shows two lines before and after, with their numbers', () => {
    const text = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`).join('\n')
    expect(codeFrame(text, text.indexOf('line 9'), 4)).toBe(
      '   7 | line 7\n   8 | line 8\n>  9 | line 9\n     | ^^^^\n  10 | line 10\n  11 | line 11',
    )
  })

  it('counts CR, LF and CR LF as one line break each', () => {
    expect(codeFrame('a\r\nb\rc\nd', 5, 1, 1)).toBe('  2 | b\n> 3 | c\n    | ^\n  4 | d')
  })

  it('points behind the last character for an end that came too soon', () => {
    expect(codeFrame('{', 1)).toBe('> 1 | {\n    |  ^')
    expect(codeFrame('', 0)).toBe('> 1 |\n    | ^')
    expect(codeFrame('{\n', 2)).toBe('  1 | {\n> 2 |\n    | ^')
  })

  it('underlines no further than the line', () => {
    expect(codeFrame('"abc\ndef', 0, 8)).toBe('> 1 | "abc\n    | ^^^^\n  2 | def')
  })

  it('shows characters that would disturb a terminal as a replacement', () => {
    expect(codeFrame('a\u001B[2Jb\u2028c\0', 5)).toBe(
      '> 1 | a\uFFFD[2Jb\uFFFDc\uFFFD\n    |      ^',
    )
  })

  it('has exactly one row of carets, and no row much wider than the limit, for any text', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '\n', '\r', '\t', '中', '😀', '\u0301'),
      maxLength: 300,
    })
    fc.assert(
      fc.property(text, fc.nat(), fc.integer({ min: 1, max: 50 }), (source, at, length) => {
        const rows = codeFrame(source, at % (source.length + 1), length).split('\n')
        expect(rows.filter((row) => /^ +\| +\^+$/.test(row))).toHaveLength(1)
        expect(rows.filter((row) => row.startsWith('>'))).toHaveLength(1)
        for (const row of rows) expect(row.length).toBeLessThan(220)
      }),
    )
  })
})
