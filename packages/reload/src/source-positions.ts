// Where a text stands in the source it was lowered from, and where the code that is made of it does.
import type MagicString from 'magic-string'
import { alignLines, linesInsideText } from './align-lines.ts'
import { type Mappings, type Segment, joinMappings, sourcePosition } from './source-map.ts'
import type { SyntaxNode } from './syntax.ts'

export class SourcePositions {
  readonly #text: string
  readonly #tree: SyntaxNode
  readonly #starts: readonly number[]
  /** From the lowered text to the source. */
  readonly #lowered: Mappings | undefined

  constructor(text: string, tree: SyntaxNode, lowered: Mappings | undefined) {
    this.#text = text
    this.#tree = tree
    this.#starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
    this.#lowered = lowered
  }

  /** The code with its head, and where each part of it was in the source. */
  generated(
    edit: MagicString,
    head: string,
  ): { readonly code: string; readonly mappings: Mappings } {
    let code = edit.toString()
    const before = this.#text.split('\n')
    const after = code.split('\n')
    let mappings: Segment[][] = edit
      .generateDecodedMap({ hires: 'boundary' })
      .mappings.map((line, index) =>
        withInsertions(
          (line as number[][]).map(([column, , at, of]): Segment => [column!, at!, of!]),
          after[index] ?? '',
          before,
        ),
      )
    if (this.#lowered !== undefined)
      ({ code, mappings } = alignLines(
        code,
        joinMappings(mappings, this.#lowered),
        linesInsideText(this.#text, this.#tree),
      ))
    const [first = [], ...rest] = mappings
    const moved = first.map(([column, at, of]): Segment => [column + head.length, at, of])
    return { code: head + code, mappings: [moved, ...rest] }
  }

  /** The place of an offset in the source, line and column from 1. */
  place(offset: number): { readonly line: number; readonly column?: number } {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    const column = offset - this.#starts[low]!
    if (this.#lowered === undefined) return { line: low + 1, column: column + 1 }
    const source = sourcePosition(this.#lowered, { line: low, column })
    if (source !== undefined) return { line: source.line + 1, column: source.column + 1 }
    for (let at = low; at >= 0; at -= 1) {
      const first = this.#lowered[at]?.[0]
      if (first !== undefined) return { line: first[1] + 1 }
    }
    return { line: low + 1 }
  }

  line(offset: number): number {
    return this.place(offset).line
  }
}

/** Text that was put in front of something belongs to that, not to what stands before it. */
function withInsertions(
  segments: readonly Segment[],
  generated: string,
  source: readonly string[],
): Segment[] {
  const all: Segment[] = []
  for (const segment of segments) {
    const [column, line, of] = segment
    const last = all.at(-1)
    if (last === undefined) {
      if (column > 0) all.push([0, line, of])
    } else if (last[1] === line) {
      const end = last[0] + of - last[2]
      const isUntouched =
        end < column && generated.slice(last[0], end) === source[line]!.slice(last[2], of)
      if (isUntouched) all.push([end, line, of])
    }
    all.push(segment)
  }
  return all
}
