import * as char from './characters.ts'
import { Json5xError, type Fail } from './errors.ts'
import { describeAt, hintFor } from './found.ts'
import { MACRO_TABLE, type Holder, type MacroNotes } from './notes.ts'
import type { ParseSettings } from './options.ts'
import { readString } from './strings.ts'

type ParserSettings = Pick<ParseSettings, 'filename' | 'allowsDuplicates' | 'maxDepth'>

/** What makes `01`, `1.2.3`, `0x`, `5px` and `1_000` more than the number they begin with. */
const TAIL = /[\w$.+-]*/y

/** One pass over the text of a JSON5 document. An instance parses once. */
export class Parser {
  readonly #text: string
  readonly #settings: ParserSettings
  readonly #notes: MacroNotes | undefined
  #at = 0
  #depth = 0
  /** One segment per open container; undefined until its first key or index is known. */
  readonly #path: (string | number | undefined)[] = []

  constructor(text: string, settings: ParserSettings, notes?: MacroNotes) {
    this.#text = text
    this.#settings = settings
    this.#notes = notes
  }

  /** @throws Json5xError unless the text is one JSON5 value and nothing else. */
  document(): unknown {
    this.#skip()
    // The root has no holder; it gets one, so that a root string can be a reference.
    const holder: Holder = {}
    const valueAt = this.#at
    const value = this.#value()
    holder[''] = value
    if (this.#notes !== undefined) this.#note(holder, '', value, valueAt, [])
    this.#skip()
    if (this.#at < this.#text.length) {
      const found = describeAt(this.#text, this.#at)
      this.#fail(
        'JSON5X_UNEXPECTED_TOKEN',
        `the document ends after its value, but here is ${found.name}${hintFor(this.#text, this.#at)}`,
        this.#at,
        { length: found.length },
      )
    }
    return value
  }

  #value(): unknown {
    const code = this.#text.charCodeAt(this.#at)
    switch (code) {
      case char.QUOTE:
      case char.APOSTROPHE:
        return this.#string()
      case char.OPEN_BRACE:
        return this.#object()
      case char.OPEN_BRACKET:
        return this.#array()
      case char.PLUS:
      case char.MINUS:
      case char.POINT:
        return this.#number()
      default:
        return char.isDigit(code) ? this.#number() : this.#word()
    }
  }

  #object(): Holder {
    const open = this.#enter()
    const isTable = this.#notes !== undefined && this.#depth === 2 && this.#path[0] === MACRO_TABLE
    const object: Holder = {}
    for (;;) {
      this.#path[this.#depth - 1] = undefined
      this.#skip()
      if (this.#text.charCodeAt(this.#at) === char.CLOSE_BRACE) return this.#leave(object)
      const keyAt = this.#at
      const key = this.#key(open)
      this.#path[this.#depth - 1] = key
      this.#refuseDuplicate(object, key, keyAt, open)
      if (isTable) this.#notes!.entryOffsets.set(key, keyAt)
      if (this.#notes !== undefined && this.#isTableKey(key)) this.#notes.tableOffset = keyAt
      this.#skip()
      if (this.#text.charCodeAt(this.#at) !== char.COLON) this.#expected('":" after the key', open)
      this.#at += 1
      this.#skip()
      const valueAt = this.#at
      const value = this.#value()
      setMember(object, key, value)
      if (this.#notes !== undefined) {
        this.#noteKey(object, key, keyAt)
        this.#note(object, key, value, valueAt, this.#currentPath())
      }
      this.#skip()
      const code = this.#text.charCodeAt(this.#at)
      if (code === char.COMMA) this.#at += 1
      else if (code !== char.CLOSE_BRACE) this.#expected('"," or "}"', open)
    }
  }

  #array(): unknown[] {
    const open = this.#enter()
    const array: unknown[] = []
    for (;;) {
      this.#path[this.#depth - 1] = array.length
      this.#skip()
      if (this.#text.charCodeAt(this.#at) === char.CLOSE_BRACKET) return this.#leave(array)
      const valueAt = this.#at
      if (this.#at >= this.#text.length) this.#expected('a value or "]"', open)
      const value = this.#value()
      if (this.#notes !== undefined)
        this.#note(array as never, array.length, value, valueAt, this.#currentPath())
      array.push(value)
      this.#skip()
      const code = this.#text.charCodeAt(this.#at)
      if (code === char.COMMA) this.#at += 1
      else if (code !== char.CLOSE_BRACKET) this.#expected('"," or "]"', open)
    }
  }

  /** @returns Where the container begins. */
  #enter(): number {
    const open = this.#at
    if (this.#depth === this.#settings.maxDepth)
      this.#fail('JSON5X_TOO_DEEP', `nested deeper than ${this.#settings.maxDepth} levels`)
    this.#at += 1
    this.#depth += 1
    return open
  }

  #leave<T>(container: T): T {
    this.#at += 1
    this.#depth -= 1
    return container
  }

  #key(open: number): string {
    const code = this.#text.charCodeAt(this.#at)
    if (code === char.QUOTE || code === char.APOSTROPHE) return this.#string()
    const start = this.#at
    char.IDENTIFIER.lastIndex = start
    const raw = char.IDENTIFIER.exec(this.#text)?.[0]
    if (raw === undefined) this.#expected('a key or "}"', open)
    this.#at += raw.length
    if (!raw.includes('\\')) return raw
    const key = raw.replace(/\\u(.{4})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (!char.isIdentifier(key))
      this.#fail(
        'JSON5X_BAD_KEY',
        `an unquoted key is made of letters, digits, $ and _, not ${JSON.stringify(key)}`,
        start,
        { length: raw.length },
      )
    return key
  }

  #string(): string {
    const text = this.#text
    const start = this.#at
    const quote = text.charCodeAt(start)
    for (let at = start + 1; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code === quote) {
        this.#at = at + 1
        return text.slice(start + 1, at)
      }
      if (code === char.BACKSLASH || code === char.LINE_FEED || code === char.CARRIAGE_RETURN) break
    }
    const { value, end } = readString(text, start, this.#fail)
    this.#at = end
    return value
  }

  #number(): number {
    const start = this.#at
    char.NUMBER.lastIndex = start
    const raw = char.NUMBER.exec(this.#text)?.[0]
    const end = start + (raw?.length ?? 1)
    TAIL.lastIndex = end
    const tail = TAIL.exec(this.#text)![0]
    if (raw === undefined || tail !== '') {
      const whole = this.#text.slice(start, end) + tail
      const shown = whole.length > 40 ? `${whole.slice(0, 39)}…` : whole
      this.#fail('JSON5X_BAD_NUMBER', `${shown} is not a number${numberHint(whole)}`, start, {
        length: whole.length,
      })
    }
    this.#at = end
    // Number() knows hexadecimal only without a sign.
    const isNegative = raw.charCodeAt(0) === char.MINUS
    const size = Number(isNegative || raw.charCodeAt(0) === char.PLUS ? raw.slice(1) : raw)
    return isNegative ? -size : size
  }

  #word(): unknown {
    const start = this.#at
    char.IDENTIFIER.lastIndex = start
    const word = char.IDENTIFIER.exec(this.#text)?.[0] ?? ''
    this.#at += word.length
    switch (word) {
      case 'true':
        return true
      case 'false':
        return false
      case 'null':
        return null
      case 'Infinity':
        return Number.POSITIVE_INFINITY
      case 'NaN':
        return Number.NaN
      default:
        this.#at = start
        return this.#expected('a value')
    }
  }

  /** Moves over white space and comments. */
  #skip(): void {
    const text = this.#text
    for (;;) {
      const code = text.charCodeAt(this.#at)
      if (code === char.SLASH) {
        if (!this.#skipComment()) return
      } else if (char.isWhiteSpace(code)) this.#at += 1
      else return
    }
  }

  #skipComment(): boolean {
    const start = this.#at
    const next = this.#text.charCodeAt(start + 1)
    if (next === char.SLASH) {
      while (
        this.#at < this.#text.length &&
        !char.isLineTerminator(this.#text.charCodeAt(this.#at))
      )
        this.#at += 1
      return true
    }
    if (next !== char.ASTERISK) return false
    const end = this.#text.indexOf('*/', start + 2)
    if (end === -1)
      this.#fail('JSON5X_BAD_COMMENT', 'this comment is never closed by */', start, { length: 2 })
    this.#at = end + 2
    return true
  }

  #refuseDuplicate(object: Holder, key: string, keyAt: number, open: number): void {
    // The first test is cheap and right for nearly every key.
    if (object[key] === undefined || !Object.hasOwn(object, key)) return
    const isTable = this.#notes !== undefined && this.#isTableKey(key)
    if (this.#settings.allowsDuplicates && !isTable) return
    const length = this.#at - keyAt
    const first = this.#offsetOfKey(key, open)
    this.#fail('JSON5X_DUPLICATE_KEY', `the key ${quote(key)} stands twice in one object`, keyAt, {
      length,
      related: [{ note: 'it stands first here', offset: first }],
    })
  }

  /** Reads the object again up to the first such key; only ever on the way to an error. */
  #offsetOfKey(key: string, open: number): number {
    this.#at = open + 1
    for (;;) {
      this.#skip()
      const keyAt = this.#at
      if (this.#key(open) === key) return keyAt
      this.#skip()
      this.#at += 1
      this.#skip()
      this.#value()
      this.#skip()
      this.#at += 1
    }
  }

  #noteKey(holder: Holder, key: string, offset: number): void {
    if (!key.includes('$') || this.#isTableKey(key)) return
    const path = this.#currentPath()
    this.#notes!.sites.push({ kind: 'key', holder, key, text: key, offset, path })
  }

  #note(
    holder: Holder,
    key: string | number,
    value: unknown,
    offset: number,
    path: readonly (string | number)[],
  ): void {
    if (typeof value === 'string' && value.includes('$'))
      this.#notes!.sites.push({ kind: 'value', holder, key, text: value, offset, path })
    if (typeof value !== 'number' || path[0] !== MACRO_TABLE) return
    const spelling = this.#text.slice(offset, this.#at)
    if (spelling !== String(value)) this.#notes!.spell(holder, key, spelling)
  }

  #isTableKey(key: string): boolean {
    return this.#depth === 1 && key === MACRO_TABLE
  }

  #currentPath(): (string | number)[] {
    return this.#path.slice(0, this.#depth).filter((segment) => segment !== undefined)
  }

  #expected(what: string, open?: number): never {
    const { name, length, isEnd } = describeAt(this.#text, this.#at)
    const bracket = open === undefined ? '' : this.#text[open]
    const related =
      open === undefined || !isEnd
        ? []
        : [{ note: `the "${bracket}" was opened here`, offset: open }]
    const hint = isEnd ? '' : hintFor(this.#text, this.#at, what === 'a value')
    const code = isEnd ? 'JSON5X_UNEXPECTED_END' : 'JSON5X_UNEXPECTED_TOKEN'
    this.#fail(code, `expected ${what}, found ${name}${hint}`, this.#at, { length, related })
  }

  // A field, so that it can be handed to the string reader.
  readonly #fail: Fail = (code, reason, offset = this.#at, details = {}) => {
    throw new Json5xError(code, reason, {
      text: this.#text,
      filename: this.#settings.filename,
      offset,
      path: this.#currentPath(),
      ...details,
    })
  }
}

/** Assigns also `__proto__` as an own property. */
export function setMember(object: Holder, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  else object[key] = value
}

function quote(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 59)}…` : key)
}

function numberHint(raw: string): string {
  if (/^[+-]?0[0-9]/.test(raw)) return ': it must not begin with 0'
  if (/^[+-]?0[xX]/.test(raw)) return ': after 0x come digits and a to f'
  if (/^[\d+-][\d_]*_[\d_]*$/.test(raw)) return ': digits cannot be grouped with _'
  if (/^[+-]?[\d.]+[A-Za-z]/.test(raw)) return '; text needs quotes'
  return ''
}
