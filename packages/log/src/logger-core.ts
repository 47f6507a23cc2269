import type winston from 'winston'
import type { Clock } from './clock.ts'
import { entryOf, type Entry } from './entry.ts'
import { reportOf } from './error-report.ts'
import { isAlarm, rankOf } from './levels.ts'
import type { LogSettings } from './options.ts'
import type { Place } from './place.ts'
import { plainFields, redactedNames, type Redacted } from './plain.ts'
import type { LineFormat, LogRecord } from './record.ts'
import { takesRecords } from './transports/record-transport.ts'

// Where winston's own transports look for the level and the finished line.
const LEVEL: unique symbol = Symbol.for('level')
const MESSAGE: unique symbol = Symbol.for('message')

/** Where an info object that our own methods made keeps what the call said. */
export const CALL: unique symbol = Symbol('@rts/log call')

interface Call {
  readonly entry: Entry
  readonly place: Place | undefined
}

/** What winston's loggers and their children pass to `write`. */
export interface Info {
  readonly level?: unknown
  readonly [CALL]?: Call
  readonly [field: string]: unknown
}

type Fields = Readonly<Record<string, unknown>>

/** What stands in an info object beside the fields. */
const NO_FIELDS: ReadonlySet<string> = new Set(['level', 'message', 'logger'])

/** Makes a record of each line once and hands it to every transport that wants its level. */
export class LoggerCore {
  readonly #logger: winston.Logger
  readonly #settings: LogSettings
  readonly #clock: Clock
  readonly #redacted: Redacted
  readonly #plainText: LineFormat

  constructor(
    logger: winston.Logger,
    settings: LogSettings,
    context: { readonly clock: Clock; readonly plainText: LineFormat },
  ) {
    this.#logger = logger
    this.#settings = settings
    this.#clock = context.clock
    this.#plainText = context.plainText
    this.#redacted = redactedNames(settings.redact)
  }

  isEnabled(level: string): boolean {
    return this.#logger.transports.some((transport) => this.#wants(transport, rankOf(level)))
  }

  wantsPlace(level: string): boolean {
    const { places } = this.#settings
    return places === 'all' || (places === 'warn' && isAlarm(level))
  }

  write(info: Info): void {
    const level = String(info.level ?? 'info')
    const rank = rankOf(level)
    let record: LogRecord | undefined
    let foreign: object | undefined
    for (const transport of this.#logger.transports) {
      if (!this.#wants(transport, rank)) continue
      record ??= this.#recordOf(level, info)
      if (takesRecords(transport)) transport.writeRecord(record)
      else transport.write((foreign ??= this.#foreignOf(record)))
    }
  }

  #wants(transport: winston.transport, rank: number): boolean {
    if (this.#logger.silent || transport.silent === true) return false
    return rank <= rankOf(transport.level ?? this.#logger.level)
  }

  #recordOf(level: string, info: Info): LogRecord {
    const call = info[CALL]
    const entry = call?.entry ?? entryOf([info])
    const sources: object[] = [...entry.sources].reverse()
    // Around a call stand the fields of children and then those of the whole log.
    if (call !== undefined) sources.push(info)
    sources.push(this.#settings.fields)
    const logger = info['logger']
    return {
      timeMs: this.#clock.wall(),
      level,
      logger: typeof logger === 'string' ? logger : this.#settings.name,
      message: entry.message,
      fields: this.#fieldsOf(sources, info, entry.omitted),
      error: entry.error === undefined ? undefined : reportOf(entry.error, this.#redacted),
      place: call?.place,
    }
  }

  /** The first source that has a name wins; what the call says stands first. */
  #fieldsOf(sources: readonly object[], info: Info, omitted: readonly string[]): Fields {
    const owners = new Map<string, object>()
    for (const source of sources) {
      for (const name of Object.keys(source)) {
        const isField = !omitted.includes(name) && !(source === info && NO_FIELDS.has(name))
        if (isField && !owners.has(name)) owners.set(name, source)
      }
    }
    return plainFields(owners, this.#redacted)
  }

  /** The same line as winston's own transports know lines. */
  #foreignOf(record: LogRecord): object {
    const { level, message, logger, fields, error, timeMs } = record
    return {
      ...fields,
      ...(error === undefined
        ? {}
        : { error: error.headline, stack: [error.headline, ...error.frames].join('\n') }),
      logger,
      timestamp: new Date(timeMs).toISOString(),
      level,
      message,
      [LEVEL]: level,
      [MESSAGE]: this.#plainText(record).trimEnd(),
    }
  }
}
