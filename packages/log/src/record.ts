import type { ErrorReport } from './error-report.ts'
import type { Place } from './place.ts'

/** One line of a log before it is text. Fields and error are copies without secrets. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly timeMs: number
  readonly level: string
  readonly logger: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: ErrorReport | undefined
  readonly place: Place | undefined
}

/** What turns a record into a line, line break included. */
export type LineFormat = (record: LogRecord) => string
