import winston from 'winston'
import { systemClock, type Clock } from './clock.ts'
import { entryOf } from './entry.ts'
import { flushAtExit } from './exit-flush.ts'
import { textFormat } from './line-format.ts'
import { CALL, LoggerCore, type Info } from './logger-core.ts'
import { LEVELS } from './levels.ts'
import { settingsOf, type LoggerOptions } from './options.ts'
import {
  consoleTransport,
  datedFiles,
  fileTransport,
  reporterOf,
  type OutputContext,
} from './outputs.ts'
import { callerOf } from './place.ts'
import type { ConsoleTransport } from './transports/console.ts'
import type { DatedFiles } from './transports/dated-files.ts'

/** How a log's outputs are doing. Counts since the start. */
export interface LogStats {
  /** Lines given to the file. */
  readonly fileLines: number
  /** Lines that found the file's buffer full, or came after `close`. */
  readonly fileDropped: number
  /** Bytes that wait to be written to the file. */
  readonly fileBufferedBytes: number
  /** Failed attempts to open or write a file. */
  readonly fileFailures: number
  /** Lines that found the console's buffer full. */
  readonly consoleDropped: number
}

/** A winston logger whose file can be waited for. Children share all of it. */
export interface Logger extends winston.Logger {
  /**
   * Settles when every line logged before is in its file.
   *
   * @throws LogError `LOG_FLUSH_TIMEOUT` when that takes longer than 5 s.
   */
  flush(): Promise<void>
  /** Writes what is left, at once, and ends all outputs. Lines that come later are dropped. */
  close(): this
  stats(): LogStats
  /** Flushes, waits for hooks (5 s at most) and closes. */
  [Symbol.asyncDispose](): Promise<void>
}

const HOOKS_LIMIT_MS = 5000

/**
 * A winston logger with a console and dated files.
 *
 * @throws RangeError when an option cannot be, naming it.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings = settingsOf(options)
  const clock = options.clock ?? systemClock
  const context: OutputContext = { settings, clock, report: reporterOf(options, settings.name) }
  const onConsole = consoleTransport(context)
  const files = datedFiles(context)
  const transports = [
    onConsole,
    files === undefined ? undefined : fileTransport(context, files),
    ...settings.transports,
  ].filter((transport) => transport !== undefined)

  const logger = winston.createLogger({ level: settings.level, transports }) as Logger
  const plainText = textFormat({ colors: false, times: 'full', utc: settings.utc })
  direct(logger, new LoggerCore(logger, settings, { clock, plainText }))

  const stopExitFlush =
    files === undefined || !settings.flushOnExit
      ? undefined
      : flushAtExit(() => files.flushAtExit())
  const closeWinston = logger.close.bind(logger)
  const close = function (this: Logger | void): Logger {
    stopExitFlush?.()
    closeWinston()
    return this ?? logger
  }
  return Object.assign(logger, {
    flush: () => files?.flush() ?? Promise.resolve(),
    stats: () => statsOf(files, onConsole),
    close,
    [Symbol.asyncDispose]: async () => {
      // What could not be written was reported, and is tried once more by `close`.
      await files?.flush().catch(() => {})
      await hooksDone(files, clock)
      close()
    },
  }) as Logger
}

/**
 * Gives the logger methods that go straight to the transports.
 *
 * winston's own would send each line through two object streams, which keep lines back when the process
 * ends, stop all outputs when one is slow, and cost more than writing the line.
 */
function direct(logger: Logger, core: LoggerCore): void {
  type Method = (this: Logger | undefined, ...args: never[]) => Logger
  const say = (target: Logger, level: string, args: readonly unknown[], method: Method): Logger => {
    if (!core.isEnabled(level)) return target
    const place = core.wantsPlace(level) ? callerOf(method) : undefined
    const entry = entryOf(args)
    // A child's `write` adds its fields to this object and passes it on to ours.
    const info: Info = { level, message: entry.message, [CALL]: { entry, place } }
    target.write(info)
    return target
  }
  const methods: Record<string, unknown> = {}
  for (const level of LEVELS) {
    const method = function (this: Logger | undefined, ...args: unknown[]): Logger {
      return say(this ?? logger, level, args, method)
    }
    methods[level] = method
  }
  const log = function (this: Logger | undefined, first: unknown, ...rest: unknown[]): Logger {
    if (typeof first === 'string') return say(this ?? logger, first, rest, log)
    const { level = 'info', ...entry } = Object(first) as { readonly level?: unknown }
    const said = first instanceof Error ? first : entry
    return say(this ?? logger, String(level), [said], log)
  }
  const write = (info: Info, ...rest: unknown[]): boolean => {
    core.write(info)
    const done = rest.find((argument) => typeof argument === 'function')
    if (done !== undefined) process.nextTick(done as () => void)
    return true
  }
  Object.assign(logger, methods, { log, write })
}

function statsOf(files: DatedFiles | undefined, onConsole: ConsoleTransport | undefined): LogStats {
  const file = files?.stats()
  return {
    fileLines: file?.lines ?? 0,
    fileDropped: file?.dropped ?? 0,
    fileBufferedBytes: file?.bufferedBytes ?? 0,
    fileFailures: file?.failures ?? 0,
    consoleDropped: onConsole?.dropped ?? 0,
  }
}

function hooksDone(files: DatedFiles | undefined, clock: Clock): Promise<void> {
  if (files === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    const cancel = clock.setTimer(HOOKS_LIMIT_MS, resolve)
    void files.hooksDone().then(() => {
      cancel()
      resolve()
    })
  })
}
