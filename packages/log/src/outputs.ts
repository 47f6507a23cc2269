import type { Clock } from './clock.ts'
import { DatedNames } from './dated-name.ts'
import type { LogError } from './errors.ts'
import { jsonFormat, textFormat } from './line-format.ts'
import type { LoggerOptions, LogSettings } from './options.ts'
import type { LineFormat } from './record.ts'
import { ConsoleStream } from './transports/console-stream.ts'
import { ConsoleTransport } from './transports/console.ts'
import { DatedFiles } from './transports/dated-files.ts'
import { FileTransport } from './transports/file.ts'

/** What all outputs of a log are made with. */
export interface OutputContext {
  readonly settings: LogSettings
  readonly clock: Clock
  readonly report: (error: LogError) => void
}

/** The console of a log; undefined without `console`. */
export function consoleTransport({
  settings,
  report,
}: OutputContext): ConsoleTransport | undefined {
  const { console: options, utc } = settings
  if (options === undefined) return undefined
  const stream = options.stream ?? process.stdout
  const format =
    options.format === 'json'
      ? jsonFormat({ utc })
      : textFormat({ colors: options.colors ?? hasColors(stream), times: 'clock', utc })
  return new ConsoleTransport({
    stream,
    format,
    level: options.level,
    maxBufferedBytes: options.maxBufferedBytes,
    report,
    notice: noticeOf(settings.name, format, 'the reader of the console is slow'),
  })
}

/** The files of a log; undefined without `file`. */
export function datedFiles({ settings, clock, report }: OutputContext): DatedFiles | undefined {
  const { file, utc } = settings
  if (file === undefined) return undefined
  const { folder, keep, flushIntervalMs, maxBufferedBytes, onRotate } = file
  const notice = noticeOf(settings.name, fileFormat(file.format, utc), "the file's buffer was full")
  const names = new DatedNames(file.tag, file.period, utc)
  const options = { folder, names, keep, flushIntervalMs, maxBufferedBytes, onRotate }
  return new DatedFiles({ ...options, clock, report, notice })
}

export function fileTransport({ settings }: OutputContext, files: DatedFiles): FileTransport {
  const { format, level } = settings.file!
  return new FileTransport(files, fileFormat(format, settings.utc), level)
}

function fileFormat(format: 'text' | 'json', utc: boolean): LineFormat {
  return format === 'json' ? jsonFormat({ utc }) : textFormat({ colors: false, times: 'full', utc })
}

function noticeOf(
  logger: string,
  format: LineFormat,
  reason: string,
): (dropped: number, timeMs: number) => string {
  return (dropped, timeMs) =>
    format({
      timeMs,
      level: 'warn',
      logger,
      message: `lines dropped: ${reason}`,
      fields: { dropped },
      error: undefined,
      place: undefined,
    })
}

function hasColors(stream: NodeJS.WritableStream): boolean {
  const terminal = stream as Partial<NodeJS.WriteStream>
  return terminal.isTTY === true && (terminal.hasColors?.() ?? true)
}

/** Failures of the log must not become failures of the program. */
export function reporterOf({ onError }: LoggerOptions, name: string): (error: LogError) => void {
  const tell =
    onError ??
    ((error: LogError): void =>
      ConsoleStream.of(process.stderr).write(`${name}: log: ${error.message}\n`))
  return (failure) => {
    // An async function makes a throw a rejection, and a rejection ends here.
    void (async () => tell(failure))().catch(() => {})
  }
}
