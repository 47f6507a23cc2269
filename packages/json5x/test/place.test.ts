import { describe, expect, it } from 'vitest'
import { formatPath, placeOf } from '../src/place.ts'

describe('placeOf', () => {
  it('counts lines by LF, CR and CR LF, and columns in UTF-16 units from 1', () => {
    const text = 'ab\ncd\r\n😀e\rf'
    expect(placeOf(text, 0)).toEqual({ line: 1, column: 1 })
    expect(placeOf(text, text.indexOf('d'))).toEqual({ line: 2, column: 2 })
    expect(placeOf(text, text.indexOf('\n', 4))).toEqual({ line: 2, column: 4 })
    expect(placeOf(text, text.indexOf('e'))).toEqual({ line: 3, column: 3 })
    expect(placeOf(text, text.indexOf('f'))).toEqual({ line: 4, column: 1 })
    expect(placeOf(text, text.length)).toEqual({ line: 4, column: 2 })
  })
})

describe('formatPath', () => {
  it('writes names with points, indexes and odd names in brackets', () => {
    expect(formatPath([])).toBe('')
    expect(formatPath(['gates', 0, 'port'])).toBe('gates[0].port')
    expect(formatPath([0, 'a b', '键', '$MACRO$', '', '1'])).toBe('[0]["a b"].键.$MACRO$[""]["1"]')
  })
})
