/** UTF-16 units the grammar knows by name. */
const TAB = 0x09
export const LINE_FEED = 0x0a
export const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
export const QUOTE = 0x22
export const APOSTROPHE = 0x27
export const ASTERISK = 0x2a
export const PLUS = 0x2b
export const COMMA = 0x2c
export const MINUS = 0x2d
export const POINT = 0x2e
export const SLASH = 0x2f
const ZERO = 0x30
const NINE = 0x39
export const COLON = 0x3a
export const OPEN_BRACKET = 0x5b
export const BACKSLASH = 0x5c
export const CLOSE_BRACKET = 0x5d
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d

const UNICODE_SPACE = /[\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF]/

/** JSON5 1.0, section 7: white space and line terminators. */
export function isWhiteSpace(code: number): boolean {
  if (code <= SPACE) return code === SPACE || (code >= TAB && code <= CARRIAGE_RETURN)
  return code >= 0xa0 && UNICODE_SPACE.test(String.fromCharCode(code))
}

/** JSON5 1.0, section 7: what ends a `//` comment. */
export function isLineTerminator(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN || code === 0x2028 || code === 0x2029
}

export function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** An ECMAScript 5.1 identifier name, at `lastIndex`, `\u` escapes not yet decoded. */
export const IDENTIFIER: RegExp =
  /(?:[$_\p{L}\p{Nl}]|\\u[0-9a-fA-F]{4})(?:[$_\u200C\u200D\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]|\\u[0-9a-fA-F]{4})*/uy

const WHOLE_IDENTIFIER = /^[$_\p{L}\p{Nl}][$_\u200C\u200D\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*$/u

export function isIdentifier(text: string): boolean {
  return WHOLE_IDENTIFIER.test(text)
}

/** A JSON5 number at `lastIndex`. */
export const NUMBER: RegExp =
  /[+-]?(?:0[xX][0-9a-fA-F]+|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|Infinity|NaN)/y

/** What an escape of one character stands for, where that is not the character itself. */
export const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}
