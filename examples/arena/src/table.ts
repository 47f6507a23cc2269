import { stripVTControlCharacters as plain } from 'node:util'

const style = (code: number, text: string): string =>
  process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text

export const bold = (text: string): string => style(1, text)
export const dim = (text: string): string => style(2, text)

const GAP = '  '
// A style is a mark of no width.
const MARKS_AND_TEXT = /(\p{Cc}\[\d+m)|\P{Cc}+/gu

/** The columns of the terminal; as many as one likes where there is none. */
export const columns = (): number => (process.stdout.isTTY ? process.stdout.columns : Infinity)

/**
 * Rows of text under a heading, in columns as wide as they need. Of what does not fit into `width`, the last columns
 * are left out.
 */
export function formatTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  width = Infinity,
): string[] {
  const widths = heading.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const widthOf = (count: number): number =>
    widths.slice(0, count).reduce((sum, one) => sum + one + GAP.length, -GAP.length)
  let shown = heading.length
  while (shown > 1 && widthOf(shown) > width) shown -= 1
  const format = (row: readonly string[]): string =>
    row
      .slice(0, shown)
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd()
  return [dim(format(heading)), ...rows.map(format)]
}

/** Cuts a styled line that is too long, and says so with `…`. */
export function fit(line: string, width: number): string {
  let left = width
  return plain(line).length <= width
    ? line
    : line.replaceAll(MARKS_AND_TEXT, (part, mark: string | undefined) => {
        if (mark !== undefined) return mark
        const kept = part.length < left ? part : left > 0 ? `${part.slice(0, left - 1)}…` : ''
        left -= part.length
        return kept
      })
}

/** Breaks a styled line between its words, or between its items where they are given one by one. */
export function wrap(words: readonly string[], width: number, gap = ' '): string[] {
  const lines: string[] = []
  for (const word of words) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!}${gap}${word}`
    if (lines.length === 0 || plain(longer).length > width) lines.push(word)
    else lines[lines.length - 1] = longer
  }
  return lines
}

/** `tcp kcp 4100, ws 4101`: where a node listens, without the host that they share. */
export function portsOf(addresses: readonly string[]): string {
  const byPort = new Map<string, string[]>()
  for (const address of addresses) {
    const { protocol, port } = new URL(address)
    byPort.set(port, [...(byPort.get(port) ?? []), protocol.slice(0, -1)])
  }
  return [...byPort].map(([port, schemes]) => `${schemes.join(' ')} ${port}`).join(', ')
}
