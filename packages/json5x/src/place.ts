/** Member names and array indexes from the root to a value. */
export type Path = readonly (string | number)[]

export interface Place {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number
}

const PLAIN_NAME = /^[$_\p{L}\p{Nl}][$\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*$/u

/** Lines end with LF, CR or CR LF, as editors count them. */
export function placeOf(text: string, offset: number): Place {
  let line = 1
  let start = 0
  for (let at = 0; at < offset; at += 1) {
    const code = text.charCodeAt(at)
    if (code !== 10 && code !== 13) continue
    if (code === 13 && text.charCodeAt(at + 1) === 10) {
      if (at + 1 >= offset) break
      at += 1
    }
    line += 1
    start = at + 1
  }
  return { line, column: offset - start + 1 }
}

/** `gates[0].port`, with names that are no identifiers in brackets and quotes. */
export function formatPath(path: Path): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else if (!PLAIN_NAME.test(segment)) text += `[${JSON.stringify(segment)}]`
    else text += text === '' ? segment : `.${segment}`
  }
  return text
}
