import type { NodeRecord, NodeState } from './node-record.ts'

export interface TableOptions {
  /** Characters that fit in a line; columns that say least go first, then the last one is cut. */
  readonly columns: number
  readonly hasColors: boolean
}

interface Column {
  readonly title: string
  /** What goes first when there is no room: the highest. 0 never goes. */
  readonly drop: number
  readonly isRight?: boolean
  readonly value: (node: NodeRecord) => string
}

const PLAIN = '\u001B[0m'
const DIM = '\u001B[2m'
const BOLD = '\u001B[1m'
const COLORS: Readonly<Record<NodeState, string>> = {
  ready: '\u001B[32m',
  draining: '\u001B[33m',
  starting: '\u001B[36m',
}
const MARKS: Readonly<Record<NodeState, string>> = { ready: '●', draining: '◐', starting: '○' }
const LEVELS = '▁▂▃▄▅▆▇█'
const GAP = '  '
const MIN_LAST = 8

const COLUMNS: readonly Column[] = [
  { title: 'ROLE', drop: 0, value: ({ role }) => role },
  { title: 'NODE', drop: 0, value: ({ id }) => id },
  { title: 'STATE', drop: 0, value: ({ state }) => `${MARKS[state]} ${state}` },
  { title: 'LOAD', drop: 2, value: ({ load }) => (load ? level(load.pressure) : '') },
  {
    title: 'PLAYERS',
    drop: 5,
    isRight: true,
    value: ({ load }) => (load?.sessions === undefined ? '' : String(load.sessions)),
  },
  { title: 'ZONE', drop: 3, value: ({ zone = '' }) => zone },
  { title: 'VERSION', drop: 4, value: ({ version = '' }) => version },
  { title: 'WEIGHT', drop: 6, isRight: true, value: ({ weight = 1 }) => String(weight) },
  { title: 'EPOCH', drop: 7, value: ({ epoch }) => epoch },
  { title: 'ADDRESSES', drop: 1, value: ({ addresses }) => Object.values(addresses).join(' ') },
]

/** A table for people; columns that would be empty, or the same weight throughout, are left out. */
export function nodeTable(nodes: readonly NodeRecord[], options: TableOptions): string {
  const rows = [...nodes].sort((a, b) => compare(a.role, b.role) || compare(a.id, b.id))
  const cells = COLUMNS.map((column) => ({
    column,
    values: rows.map((node) => clean(column.value(node))),
  })).filter(
    ({ column, values }) =>
      column.drop === 0 ||
      values.some((value) => value !== '' && (column.title !== 'WEIGHT' || value !== '1')),
  )
  const measured = cells.map(({ column, values }) => ({
    column,
    values,
    width: Math.max(column.title.length, ...values.map(widthOf)),
  }))
  const kept = fit(measured, options.columns)
  const paint = (text: string, code: string) => (options.hasColors ? code + text + PLAIN : text)
  const line = (texts: readonly string[], color: (text: string, column: Column) => string) =>
    kept
      .map(({ column, width }, index) => {
        const text = cut(texts[index]!, width)
        const space = ' '.repeat(width - widthOf(text))
        const isLast = index === kept.length - 1
        if (column.isRight === true) return space + color(text, column)
        return color(text, column) + (isLast ? '' : space)
      })
      .join(GAP)
  const head = line(
    kept.map(({ column }) => column.title),
    (text) => paint(text, BOLD),
  )
  const body = rows.map((node, row) =>
    line(
      kept.map(({ values }) => values[row]!),
      (text, { title }) => {
        if (title === 'STATE') return paint(text, COLORS[node.state])
        return title === 'ADDRESSES' || title === 'EPOCH' ? paint(text, DIM) : text
      },
    ),
  )
  return [head, ...body, paint(summary(rows), DIM)].map((text) => `${text}\n`).join('')
}

function summary(nodes: readonly NodeRecord[]): string {
  const count = (state: NodeState) => nodes.filter((node) => node.state === state).length
  const parts = (['ready', 'draining', 'starting'] as const)
    .map((state) => ({ state, many: count(state) }))
    .filter(({ many }) => many > 0)
    .map(({ state, many }) => `${many} ${state}`)
  return `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}

interface Measured {
  readonly column: Column
  readonly values: readonly string[]
  readonly width: number
}

function fit(columns: readonly Measured[], room: number): readonly Measured[] {
  let kept = columns
  const widthWith = (last: number) =>
    kept.slice(0, -1).reduce((sum, { width }) => sum + width + GAP.length, 0) + last
  for (;;) {
    const last = kept.at(-1)!
    if (widthWith(last.width) <= room) return kept
    if (last.column.drop === 1 && widthWith(MIN_LAST) <= room) {
      return [...kept.slice(0, -1), { ...last, width: room - widthWith(0) }]
    }
    const first = kept.reduce((a, b) => (b.column.drop > a.column.drop ? b : a))
    if (first.column.drop === 0) return kept
    kept = kept.filter((each) => each !== first)
  }
}

function level(pressure: number): string {
  const index = Math.min(LEVELS.length - 1, Math.floor(pressure * LEVELS.length))
  return `${LEVELS[index]!} ${Math.round(pressure * 100)}%`
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Records are written by others: nothing in them may steer the terminal. */
export const clean = (text: string): string => text.replace(/\p{C}/gu, '\uFFFD')

const WIDE =
  /\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Emoji_Presentation}|[\uFF00-\uFF60]/u
const NARROW = /\p{M}/u

/** Columns of a terminal that a text takes. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let result = ''
  for (const character of text) {
    if (widthOf(result + character) > width - 1) break
    result += character
  }
  return `${result}…`
}
