import type winston from 'winston'
import type { Clock } from './clock.ts'
import type { Period } from './dated-name.ts'
import type { LogError } from './errors.ts'
import { LEVELS, type LogLevel } from './levels.ts'

export interface LoggerOptions {
  /** Stands in every line. A child has another one by `logger.child({ logger: 'gate.session' })`. */
  readonly name: string
  /** The least important level that is logged; `logger.level` changes it later. @defaultValue 'info' */
  readonly level?: LogLevel
  /** Times of lines and dates of files in UTC instead of local time. @defaultValue false */
  readonly utc?: boolean
  /** Lines on stdout; `false` for none. @defaultValue true */
  readonly console?: boolean | ConsoleOptions
  /** Lines in dated files; `false` for none. @defaultValue false */
  readonly file?: false | FileOptions
  /** Fields of every line. A field of the line itself wins. */
  readonly fields?: Readonly<Record<string, unknown>>
  /**
   * Names of fields whose values are never written, at any depth and in any letter case.
   * @defaultValue ['password', 'secret', 'token', 'ticket', 'authorization', 'cookie']
   */
  readonly redact?: readonly string[]
  /**
   * Which lines say where they were logged: `'warn'`: warnings and errors, as `path:line:column`;
   * `'all'`: those below too, as `file:line`; finding the place costs microseconds per line.
   * @defaultValue 'warn'
   */
  readonly places?: 'none' | 'warn' | 'all'
  /** Writes what is left when the process exits or dies of an uncaught error. @defaultValue true */
  readonly flushOnExit?: boolean
  /** More winston transports. They get redacted lines too. */
  readonly transports?: readonly winston.transport[]
  /** What happens to failures of the outputs. @defaultValue one line per streak of failures on stderr */
  readonly onError?: (error: LogError) => void | Promise<void>
  readonly clock?: Clock
}

export interface ConsoleOptions {
  /** Overrides the logger's level here. */
  readonly level?: LogLevel
  /** @defaultValue true where the stream is a terminal that has colours */
  readonly colors?: boolean
  /** @defaultValue 'text' */
  readonly format?: 'text' | 'json'
  /** @defaultValue process.stdout */
  readonly stream?: NodeJS.WritableStream
  /** Bytes that may wait for a slow reader; lines beyond are dropped and counted. @defaultValue 8388608 */
  readonly maxBufferedBytes?: number
}

export interface FileOptions {
  /** Overrides the logger's level here. */
  readonly level?: LogLevel
  /** Where the files are; made when missing. */
  readonly folder: string
  /** The file is `<tag>.<date>.log`. Give each process its own. @defaultValue the logger's name */
  readonly tag?: string
  /** How often a new file begins. @defaultValue 'day' */
  readonly period?: Period
  /** How many files of this tag are kept, from 1, the current one included. @defaultValue all */
  readonly keep?: number
  /** @defaultValue 'text' */
  readonly format?: 'text' | 'json'
  /** Milliseconds that a line waits for others to be written with, from 0. @defaultValue 50 */
  readonly flushIntervalMs?: number
  /** Bytes that may wait for the disk; lines beyond are dropped and counted. @defaultValue 8388608 */
  readonly maxBufferedBytes?: number
  /** Called after lines began to go to another file; awaited in order, while lines go on. */
  readonly onRotate?: (rotation: Rotation) => void | Promise<void>
}

export interface Rotation {
  /** The file before, complete. */
  readonly from: string
  /** The file that is written now. */
  readonly to: string
  /** Old files that were deleted because of `keep`. */
  readonly deleted: readonly string[]
}

interface ConsoleSettings {
  readonly level: LogLevel | undefined
  readonly colors: boolean | undefined
  readonly format: 'text' | 'json'
  readonly stream: NodeJS.WritableStream | undefined
  readonly maxBufferedBytes: number
}

interface FileSettings {
  readonly level: LogLevel | undefined
  readonly folder: string
  readonly tag: string
  readonly period: Period
  readonly keep: number | undefined
  readonly format: 'text' | 'json'
  readonly flushIntervalMs: number
  readonly maxBufferedBytes: number
  readonly onRotate: FileOptions['onRotate']
}

export interface LogSettings {
  readonly name: string
  readonly level: LogLevel
  readonly utc: boolean
  readonly console: ConsoleSettings | undefined
  readonly file: FileSettings | undefined
  readonly fields: Readonly<Record<string, unknown>>
  readonly redact: readonly string[]
  readonly places: 'none' | 'warn' | 'all'
  readonly flushOnExit: boolean
  readonly transports: readonly winston.transport[]
}

const FORMATS = ['text', 'json'] as const
const DEFAULT_MAX_BUFFERED_BYTES = 8 * 1024 * 1024
const DEFAULT_FLUSH_INTERVAL_MS = 50
const DEFAULT_REDACT = ['password', 'secret', 'token', 'ticket', 'authorization', 'cookie']
/** What a file name can hold everywhere, and no way out of the folder. */
const TAG = /^[\p{L}\p{N}_-][\p{L}\p{N}_.-]{0,99}$/u

/** @throws RangeError naming the field that cannot be. */
export function settingsOf(options: LoggerOptions): LogSettings {
  const { name, console: onConsole = true, file = false } = options
  if (typeof name !== 'string' || name === '')
    throw new RangeError(`name must be a text, not ${JSON.stringify(name)}`)
  return {
    name,
    level: oneOf('level', options.level ?? 'info', LEVELS),
    utc: options.utc ?? false,
    console: onConsole === false ? undefined : consoleSettings(onConsole === true ? {} : onConsole),
    file: file === false ? undefined : fileSettings(file, name),
    fields: { ...options.fields },
    redact: options.redact ?? DEFAULT_REDACT,
    places: oneOf('places', options.places ?? 'warn', ['none', 'warn', 'all'] as const),
    flushOnExit: options.flushOnExit ?? true,
    transports: options.transports ?? [],
  }
}

function consoleSettings(options: ConsoleOptions): ConsoleSettings {
  const { level, maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = options
  return {
    level: level === undefined ? undefined : oneOf('console.level', level, LEVELS),
    colors: options.colors,
    format: oneOf('console.format', options.format ?? 'text', FORMATS),
    stream: options.stream,
    maxBufferedBytes: whole('console.maxBufferedBytes', maxBufferedBytes, 1),
  }
}

function fileSettings(options: FileOptions, name: string): FileSettings {
  const { level, folder, tag = name, keep } = options
  if (typeof folder !== 'string' || folder === '')
    throw new RangeError(`file.folder must be a path, not ${JSON.stringify(folder)}`)
  if (!TAG.test(tag))
    throw new RangeError(
      `file.tag must be letters, digits, "_", "-" and ".", up to 100, not ${JSON.stringify(tag)}`,
    )
  return {
    level: level === undefined ? undefined : oneOf('file.level', level, LEVELS),
    folder,
    tag,
    period: oneOf('file.period', options.period ?? 'day', ['day', 'hour', 'minute'] as const),
    keep: keep === undefined ? undefined : whole('file.keep', keep, 1),
    format: oneOf('file.format', options.format ?? 'text', FORMATS),
    flushIntervalMs: whole(
      'file.flushIntervalMs',
      options.flushIntervalMs ?? DEFAULT_FLUSH_INTERVAL_MS,
      0,
    ),
    maxBufferedBytes: whole(
      'file.maxBufferedBytes',
      options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES,
      1,
    ),
    onRotate: options.onRotate,
  }
}

function oneOf<T extends string>(field: string, value: T, known: readonly T[]): T {
  if (!known.includes(value))
    throw new RangeError(`${field} must be one of ${known.join(', ')}, not ${String(value)}`)
  return value
}

function whole(field: string, value: number, lowest: number): number {
  if (!Number.isSafeInteger(value) || value < lowest)
    throw new RangeError(`${field} must be a whole number from ${lowest}, not ${value}`)
  return value
}
