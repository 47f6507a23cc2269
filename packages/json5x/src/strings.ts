import * as char from './characters.ts'
import type { Fail } from './errors.ts'

const HEX_2 = /[0-9a-fA-F]{2}/y
const HEX_4 = /[0-9a-fA-F]{4}/y

/** Decodes the quoted string whose token begins at `start`. `end` is after its closing quote. */
export function readString(
  text: string,
  start: number,
  fail: Fail,
): { readonly value: string; readonly end: number } {
  const quote = text.charCodeAt(start)
  let value = ''
  let from = start + 1
  for (let at = from; ; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) return { value: value + text.slice(from, at), end: at + 1 }
    if (code === char.BACKSLASH) {
      const escape = readEscape(text, at, fail)
      value += text.slice(from, at) + escape.value
      from = escape.end
      at = from - 1
    } else if (code === char.LINE_FEED || code === char.CARRIAGE_RETURN) {
      fail(
        'JSON5X_BAD_STRING',
        'a string ends on its line: close the quote, write \\n, or end the line with \\',
        at,
        { related: [{ note: 'the string begins here', offset: start }] },
      )
    } else if (at >= text.length) {
      fail('JSON5X_UNEXPECTED_END', 'this string is never closed', start, {
        length: text.length - start,
      })
    }
  }
}

/** Where the decoded character number `index` of the token at `start` stands in the text. */
export function offsetInToken(text: string, start: number, index: number): number {
  const first = text.charCodeAt(start)
  let at = first === char.QUOTE || first === char.APOSTROPHE ? start + 1 : start
  let decoded = 0
  while (decoded < index && at < text.length) {
    if (text.charCodeAt(at) === char.BACKSLASH) {
      const escape = readEscape(text, at, neverFails)
      decoded += escape.value.length
      at = escape.end
    } else {
      decoded += 1
      at += 1
    }
  }
  return at
}

function readEscape(
  text: string,
  at: number,
  fail: Fail,
): { readonly value: string; readonly end: number } {
  const letter = text[at + 1] ?? ''
  switch (letter) {
    case 'x':
      return readHex(text, at, HEX_2, 2, fail)
    case 'u':
      return readHex(text, at, HEX_4, 4, fail)
    case '\r':
      return { value: '', end: at + (text[at + 2] === '\n' ? 3 : 2) }
    case '\n':
    case '\u2028':
    case '\u2029':
      return { value: '', end: at + 2 }
    case '0':
      if (!char.isDigit(text.charCodeAt(at + 2))) return { value: '\0', end: at + 2 }
      break
    default:
      if (!char.isDigit(letter.charCodeAt(0)))
        return { value: char.SIMPLE_ESCAPES[letter] ?? letter, end: at + 2 }
  }
  return fail('JSON5X_BAD_ESCAPE', 'octal escapes are not JSON5: write \\x00 to \\xff', at, {
    length: 2,
  })
}

function readHex(
  text: string,
  at: number,
  digits: RegExp,
  count: number,
  fail: Fail,
): { readonly value: string; readonly end: number } {
  digits.lastIndex = at + 2
  const found = digits.exec(text)?.[0]
  if (found === undefined)
    fail('JSON5X_BAD_ESCAPE', `\\${text[at + 1]} needs ${count} hexadecimal digits after it`, at, {
      length: 2,
    })
  return { value: String.fromCharCode(Number.parseInt(found, 16)), end: at + 2 + count }
}

const neverFails: Fail = (_code, reason) => {
  throw new Error(`an escape that was decoded before is wrong now: ${reason}`)
}
