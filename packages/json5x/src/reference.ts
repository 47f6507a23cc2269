/** A reference as it stands in a string: `$name.segment:=default$`. */
export interface Reference {
  /** The whole of it, both `$` included. */
  readonly text: string
  readonly name: string
  readonly segments: readonly string[]
  readonly fallback: string | undefined
}

const REFERENCE = /\$([A-Za-z_][A-Za-z0-9_]{0,63})((?:\.[A-Za-z0-9_-]+)*)(?::=([^$]*))?\$/y

/** What `text` is made of, left to right. A string without references is one piece of text. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reference'; readonly reference: Reference; readonly index: number }

/** Splits a string into text and references; `$$NAME$` becomes the text `$NAME$`. */
export function* piecesOf(text: string): Generator<Piece, void, undefined> {
  let from = 0
  let at = text.indexOf('$')
  while (at !== -1) {
    const escaped = text[at + 1] === '$' ? referenceAt(text, at + 1) : undefined
    const reference = escaped === undefined ? referenceAt(text, at) : undefined
    if (escaped !== undefined) {
      yield { kind: 'text', text: text.slice(from, at) + escaped.text }
      from = at + 1 + escaped.text.length
    } else if (reference !== undefined) {
      if (at > from) yield { kind: 'text', text: text.slice(from, at) }
      yield { kind: 'reference', reference, index: at }
      from = at + reference.text.length
    }
    at = text.indexOf('$', Math.max(from, at + 1))
  }
  if (from < text.length || text === '') yield { kind: 'text', text: text.slice(from) }
}

function referenceAt(text: string, index: number): Reference | undefined {
  REFERENCE.lastIndex = index
  const found = REFERENCE.exec(text)
  if (found === null) return undefined
  const [whole, name, path, fallback] = found
  return {
    text: whole,
    name: name!,
    segments: path === '' ? [] : path!.slice(1).split('.'),
    fallback,
  }
}
