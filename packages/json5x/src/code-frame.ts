import { placeOf } from './place.ts'

/** Columns of text that a frame shows at most; longer lines are cut around the caret. */
const MAX_WIDTH = 96
/** Columns kept before the caret when a line is cut. */
const LEAD = 48
const TAB = '  '
const LINE_BREAK = /\r\n|\r|\n/g

const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const CONTROL = /^[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]$/u
const WIDE =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1F64F}\u{1F680}-\u{1F6FF}\u{1F900}-\u{1F9FF}\u{20000}-\u{3FFFD}]$/u

/**
 * The lines around `offset`, numbered, with carets under the `length` characters from there.
 *
 * Tabs, wide characters and characters that print nothing are allowed for, so that the caret stands
 * where the eye looks in a terminal.
 */
export function codeFrame(text: string, offset: number, length = 1, linesAround = 2): string {
  const { line } = placeOf(text, offset)
  const lines = linesNear(text, offset, line, linesAround)
  const numberWidth = String(lines.at(-1)!.number).length
  const focus = lines.find(({ number }) => number === line)!
  const caretAt = offset - focus.start
  const cut = cutFor(focus.text, caretAt)
  const rows: string[] = []
  for (const { number, text: source } of lines) {
    const mark = number === line ? '>' : ' '
    const shown = printable(window(source, cut))
    rows.push(`${mark} ${String(number).padStart(numberWidth)} | ${shown}`.trimEnd())
    if (number !== line) continue
    const before = width(window(source.slice(0, caretAt), cut))
    const marked = width(source.slice(caretAt, caretAt + Math.min(length, MAX_WIDTH)))
    const carets = '^'.repeat(Math.max(1, Math.min(marked, MAX_WIDTH - before)))
    rows.push(`  ${' '.repeat(numberWidth)} | ${' '.repeat(before)}${carets}`)
  }
  return rows.join('\n')
}

interface Line {
  readonly number: number
  readonly start: number
  readonly text: string
}

function linesNear(text: string, offset: number, line: number, around: number): Line[] {
  const lines: Line[] = []
  let number = line
  let start = lineStart(text, offset)
  for (let above = 0; above < around && start > 0; above += 1) {
    start = lineStart(text, start - (text.startsWith('\r\n', start - 2) ? 2 : 1))
    number -= 1
  }
  while (number <= line + around) {
    LINE_BREAK.lastIndex = start
    const found = LINE_BREAK.exec(text)
    lines.push({ number, start, text: text.slice(start, found?.index) })
    if (found === null) break
    number += 1
    start = LINE_BREAK.lastIndex
  }
  // An empty last line says nothing, unless the error is there.
  if (lines.length > 1 && lines.at(-1)!.text === '' && lines.at(-1)!.number !== line) lines.pop()
  return lines
}

function lineStart(text: string, offset: number): number {
  let start = offset
  // Between CR and LF is still the line that they end.
  if (text.charCodeAt(start) === 10 && text.charCodeAt(start - 1) === 13) start -= 1
  while (start > 0 && text.charCodeAt(start - 1) !== 10 && text.charCodeAt(start - 1) !== 13) {
    start -= 1
  }
  return start
}

/** How many characters a long line loses at its left so that the caret can be seen. */
function cutFor(line: string, caretAt: number): number {
  if (caretAt <= MAX_WIDTH - 8 || line.length <= MAX_WIDTH) return 0
  const cut = caretAt - LEAD
  return isLowSurrogate(line, cut) ? cut - 1 : cut
}

function window(line: string, cut: number): string {
  const kept = cut > 0 && line.length > cut ? `…${line.slice(cut + 1)}` : line.slice(cut)
  if (kept.length <= MAX_WIDTH) return kept
  const end = isLowSurrogate(kept, MAX_WIDTH - 1) ? MAX_WIDTH - 2 : MAX_WIDTH - 1
  return `${kept.slice(0, end)}…`
}

function isLowSurrogate(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xdc00
}

function printable(line: string): string {
  let text = ''
  for (const character of line) {
    if (character === '\t') text += TAB
    else if (CONTROL.test(character)) text += '\uFFFD'
    else text += character
  }
  return text
}

function width(line: string): number {
  let columns = 0
  for (const character of line) {
    if (character === '\t') columns += TAB.length
    else if (WIDE.test(character)) columns += 2
    else if (!INVISIBLE.test(character)) columns += 1
  }
  return columns
}
