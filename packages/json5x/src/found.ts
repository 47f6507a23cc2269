import { IDENTIFIER } from './characters.ts'

export interface Found {
  /** In words, for a message. */
  readonly name: string
  /** How many characters the frame underlines. */
  readonly length: number
  readonly isEnd: boolean
}

const LONGEST_SHOWN = 40

/** Names what stands at `offset` where something else should. */
export function describeAt(text: string, offset: number): Found {
  if (offset >= text.length)
    return {
      name: text.trim() === '' ? 'an empty text' : 'the end of the text',
      length: 1,
      isEnd: true,
    }
  IDENTIFIER.lastIndex = offset
  const word = IDENTIFIER.exec(text)?.[0]
  if (word !== undefined) {
    const shown = word.length > LONGEST_SHOWN ? `${word.slice(0, LONGEST_SHOWN - 1)}…` : word
    return { name: `"${shown}"`, length: word.length, isEnd: false }
  }
  const code = text.codePointAt(offset)!
  const character = String.fromCodePoint(code)
  const isVisible = /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)
  const number = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  const name = !isVisible ? number : code < 0x7f ? quoted(character) : `${character} (${number})`
  return { name, length: character.length, isEnd: false }
}

function quoted(character: string): string {
  return character === '"' ? `'"'` : `"${character}"`
}

const OTHER_WORDS: Readonly<Record<string, string>> = {
  True: 'true',
  TRUE: 'true',
  False: 'false',
  FALSE: 'false',
  None: 'null',
  Null: 'null',
  NULL: 'null',
  nil: 'null',
  undefined: 'null',
}

/** A remark on the usual slips, to be appended to a message; empty when there is none. */
export function hintFor(text: string, offset: number, isValue = false): string {
  const character = text[offset]!
  if (character === '#') return ': comments begin with // or /*'
  if (character === '=') return ': a key and its value are joined by ":"'
  if ('“”„‘’`'.includes(character)) return ': strings stand in " or \''
  if (character === ',') return ': one comma is enough'
  IDENTIFIER.lastIndex = offset
  const word = isValue ? IDENTIFIER.exec(text)?.[0] : undefined
  if (word === undefined) return ''
  return Object.hasOwn(OTHER_WORDS, word) ? `: write ${OTHER_WORDS[word]}` : ': text needs quotes'
}
