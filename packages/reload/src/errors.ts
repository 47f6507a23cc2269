import { fileURLToPath } from 'node:url'

export type ReloadErrorCode =
  | 'RELOAD_SYNTAX'
  | 'RELOAD_TOP_LEVEL_AWAIT'
  | 'RELOAD_MISSING_MODULE'
  | 'RELOAD_MISSING_EXPORT'
  | 'RELOAD_EVALUATION'
  | 'RELOAD_HOOK'
  | 'RELOAD_VERIFY'
  | 'RELOAD_NOTHING_TO_ROLL_BACK'
  | 'RELOAD_LIVE_EDIT'
  | 'RELOAD_CLOSED'

export interface Place {
  /** Absolute path. */
  readonly file: string
  /** From 1. */
  readonly line?: number
  /** From 1. */
  readonly column?: number
}

const formatPlace = ({ file, line, column }: Place): string =>
  [file, line, column].filter((part) => part !== undefined).join(':')

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class ReloadError extends Error {
  override readonly name: string = 'ReloadError'
  readonly code: ReloadErrorCode
  /** Where it is in the source, when that is known. */
  readonly place: Place | undefined

  constructor(code: ReloadErrorCode, message: string, place?: Place, options?: ErrorOptions) {
    super(place === undefined ? message : `${message} (${formatPlace(place)})`, options)
    this.code = code
    this.place = place
  }
}

/** The line and column of an offset, both from 1. */
export function placeAt(file: string, text: string, offset: number): Place {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  return { file, line, column: offset - before.lastIndexOf('\n') }
}

const FRAME = /^\s*at (?:.*? \()?(?:async )?((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/
/** What V8 puts above the message of a SyntaxError. */
const HEADING = /^((?:file:\/\/)?\/.*):(\d+)$/

/** Where an error was thrown, by the first frame of its stack that lies in one of the files. */
export function placeOfError(error: unknown, isHot: (file: string) => boolean): Place | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  for (const text of stack.split('\n')) {
    const found = FRAME.exec(text) ?? HEADING.exec(text)
    if (found === null) continue
    const [, path, line, column] = found
    const file = path!.startsWith('file:') ? fileURLToPath(path!) : path!
    if (!isHot(file)) continue
    return { file, line: Number(line), ...(column !== undefined && { column: Number(column) }) }
  }
  return undefined
}

/** Told by name: the rewriter may be loaded as a module instance of its own. */
export const isReloadError = (error: unknown): error is ReloadError =>
  error instanceof Error && error.name === 'ReloadError'
