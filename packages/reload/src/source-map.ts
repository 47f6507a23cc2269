// Source maps (ECMA-426) of one source: their mappings read, written, joined and asked.

/** Column of the generated line, line and column of the source, all from 0. */
export type Segment = readonly [column: number, sourceLine: number, sourceColumn: number]
/** The segments of each generated line, by column. */
export type Mappings = readonly (readonly Segment[])[]

interface Position {
  /** From 0. */
  readonly line: number
  /** From 0. */
  readonly column: number
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

export function encodeMappings(mappings: Mappings): string {
  let line = 0
  let column = 0
  return mappings
    .map((segments) => {
      let generated = 0
      return segments
        .map(([at, sourceLine, sourceColumn]) => {
          const text =
            encodeVlq(at - generated) +
            'A' +
            encodeVlq(sourceLine - line) +
            encodeVlq(sourceColumn - column)
          generated = at
          line = sourceLine
          column = sourceColumn
          return text
        })
        .join(',')
    })
    .join(';')
}

export function decodeMappings(text: string): Segment[][] {
  let line = 0
  let column = 0
  return text.split(';').map((segments) => {
    let generated = 0
    const decoded: Segment[] = []
    for (const segment of segments.split(',')) {
      const fields = decodeVlq(segment)
      generated += fields[0] ?? 0
      if (fields.length < 4) continue
      line += fields[2]!
      column += fields[3]!
      decoded.push([generated, line, column])
    }
    return decoded
  })
}

/** Where a generated position stems from; undefined when the mappings do not say. */
export function sourcePosition(
  mappings: Mappings,
  { line, column }: Position,
): Position | undefined {
  const segments = mappings[line] ?? []
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (segments[middle]![0] <= column) low = middle + 1
    else high = middle
  }
  const found = segments[low - 1]
  return found === undefined ? undefined : { line: found[1], column: found[2] }
}

/** Mappings whose source was itself generated, led on to the source of that. */
export function joinMappings(mappings: Mappings, inner: Mappings): Segment[][] {
  return mappings.map((segments) =>
    segments.flatMap(([column, line, sourceColumn]): Segment[] => {
      const source = sourcePosition(inner, { line, column: sourceColumn })
      return source === undefined ? [] : [[column, source.line, source.column]]
    }),
  )
}

/** A map as JSON. Without the text of the source: debuggers read the file, and V8 holds on to old scripts for a while. */
export function mapText(source: string, mappings: string): string {
  return JSON.stringify({ version: 3, sources: [source], names: [], mappings })
}

/** Joined from parts: it is not this file's own. */
export const MAP_COMMENT: string = ['//# sourceMappingURL', ''].join('=')

/** The comment that ties generated code to its map. */
export function mapComment(map: string): string {
  const base64 = Buffer.from(map).toString('base64')
  return `${MAP_COMMENT}data:application/json;base64,${base64}`
}

function encodeVlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1
  let text = ''
  do {
    const digit = rest & 31
    rest >>>= 5
    text += DIGITS[rest > 0 ? digit | 32 : digit]
  } while (rest > 0)
  return text
}

function decodeVlq(text: string): number[] {
  const values: number[] = []
  let value = 0
  let shift = 0
  for (const character of text) {
    const digit = DIGITS.indexOf(character)
    value += (digit & 31) << shift
    shift += 5
    if (digit & 32) continue
    values.push(value & 1 ? -(value >> 1) : value >> 1)
    value = 0
    shift = 0
  }
  return values
}
