import { codeFrame } from './code-frame.ts'
import { formatPath, placeOf, type Path } from './place.ts'

export type Json5xErrorCode =
  | 'JSON5X_UNEXPECTED_END'
  | 'JSON5X_UNEXPECTED_TOKEN'
  | 'JSON5X_BAD_STRING'
  | 'JSON5X_BAD_ESCAPE'
  | 'JSON5X_BAD_NUMBER'
  | 'JSON5X_BAD_COMMENT'
  | 'JSON5X_BAD_KEY'
  | 'JSON5X_DUPLICATE_KEY'
  | 'JSON5X_TOO_DEEP'
  | 'JSON5X_MACRO_TABLE'
  | 'JSON5X_MACRO_NAME'
  | 'JSON5X_MACRO_UNKNOWN'
  | 'JSON5X_MACRO_TYPE'
  | 'JSON5X_MACRO_CYCLE'
  | 'JSON5X_MACRO_LIMIT'
  | 'JSON5X_FILE_UNREADABLE'
  | 'JSON5X_FILE_TOO_BIG'
  | 'JSON5X_FILE_NOT_UTF8'

/** A second place that belongs to an error: where a bracket was opened, a macro defined or used. */
export interface RelatedPlace {
  readonly note: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number
  /** From 0, in UTF-16 units. */
  readonly offset: number
  readonly frame: string
}

/** What the error is about: a stretch of the text, or, when `text` is missing, a whole file. */
export interface Json5xErrorSource extends ErrorOptions {
  readonly filename?: string | undefined
  readonly text?: string
  readonly offset?: number
  /** How many characters the frame underlines. @defaultValue 1 */
  readonly length?: number
  readonly path?: Path
  readonly related?: readonly { readonly note: string; readonly offset: number }[]
}

/**
 * Any text or file this package refuses. Branch on `code`; `message` is for people and ends in a
 * code frame that points at the character.
 */
export class Json5xError extends Error {
  override readonly name: string = 'Json5xError'
  readonly code: Json5xErrorCode
  /** The message without place and frame. */
  readonly reason: string
  readonly filename: string | undefined
  /** From 1; 0 when the error is about a whole file. */
  readonly line: number
  /** From 1, in UTF-16 units, as editors count; 0 when the error is about a whole file. */
  readonly column: number
  /** From 0, in UTF-16 units. */
  readonly offset: number
  /** The JSON path of the value, such as `gates[0].port`; empty at the root. */
  readonly path: string
  /** The lines around the place with a caret under it; empty when the error is about a whole file. */
  readonly frame: string
  readonly related: readonly RelatedPlace[]

  constructor(code: Json5xErrorCode, reason: string, source: Json5xErrorSource = {}) {
    const { text, offset = 0, length = 1, filename } = source
    const place = text === undefined ? { line: 0, column: 0 } : placeOf(text, offset)
    const path = formatPath(source.path ?? [])
    const frame = text === undefined ? '' : codeFrame(text, offset, length)
    const related = (source.related ?? []).map(({ note, offset: at }) => ({
      note,
      ...placeOf(text ?? '', at),
      offset: at,
      frame: codeFrame(text ?? '', at, 1, 0),
    }))
    super(describe({ filename, ...place, reason, path, frame, related }), source)
    this.code = code
    this.reason = reason
    this.filename = filename
    this.line = place.line
    this.column = place.column
    this.offset = offset
    this.path = path
    this.frame = frame
    this.related = related
  }
}

/** Throws a Json5xError; without an offset at the place where the parser is. */
export type Fail = (
  code: Json5xErrorCode,
  reason: string,
  offset?: number,
  details?: Pick<Json5xErrorSource, 'length' | 'related'>,
) => never

const MAX_SHOWN_PATH = 100

type Description = Pick<
  Json5xError,
  'filename' | 'line' | 'column' | 'reason' | 'path' | 'frame' | 'related'
>

function describe(error: Description): string {
  const { filename, line, column, reason, path, frame, related } = error
  const inside = path === '' ? '' : ` (at ${shortened(path)})`
  if (frame === '') return filename === undefined ? reason : `${filename}: ${reason}`
  const head = `${at(filename, line, column)}: ${reason}${inside}\n\n${frame}\n`
  return related.reduce(
    (text, place) =>
      `${text}\n${place.note}, ${at(filename, place.line, place.column)}:\n\n${place.frame}\n`,
    head,
  )
}

function shortened(path: string): string {
  return path.length <= MAX_SHOWN_PATH ? path : `${path.slice(0, 40)}…${path.slice(-40)}`
}

/** With a file, in the form that terminals and editors turn into a link. */
function at(filename: string | undefined, line: number, column: number): string {
  return filename === undefined ? `line ${line}, column ${column}` : `${filename}:${line}:${column}`
}
