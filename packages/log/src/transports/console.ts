import { LogError } from '../errors.ts'
import type { LineFormat, LogRecord } from '../record.ts'
import { ConsoleStream } from './console-stream.ts'
import { Transport, type RecordTransport } from './record-transport.ts'

export interface ConsoleTransportOptions {
  readonly stream: NodeJS.WritableStream
  readonly format: LineFormat
  readonly level: string | undefined
  readonly maxBufferedBytes: number
  readonly report: (error: LogError) => void
  /** The line that tells how many lines were dropped because the reader was slow. */
  readonly notice: (dropped: number, timeMs: number) => string
}

/** Lines on a stream, in the order of all that is written to it. */
export class ConsoleTransport extends Transport implements RecordTransport {
  readonly name: string = 'console'
  readonly #options: ConsoleTransportOptions
  readonly #stream: ConsoleStream
  readonly #stopReports: () => void
  #dropped = 0
  #unreported = 0

  constructor(options: ConsoleTransportOptions) {
    super(options.level === undefined ? {} : { level: options.level })
    this.#options = options
    this.#stream = ConsoleStream.of(options.stream)
    this.#stopReports = this.#stream.onFailure((cause) => {
      const message = `the console cannot be written: ${cause.message}`
      options.report(new LogError('LOG_CONSOLE_FAILED', message, { cause }))
    })
  }

  get dropped(): number {
    return this.#dropped
  }

  writeRecord(record: LogRecord): void {
    if (this.#stream.bufferedBytes > this.#options.maxBufferedBytes) {
      this.#dropped += 1
      this.#unreported += 1
      return
    }
    if (this.#unreported > 0) {
      this.#stream.write(this.#options.notice(this.#unreported, record.timeMs))
      this.#unreported = 0
    }
    this.#stream.write(this.#options.format(record))
  }

  /** winston asks for it; the logger never calls it. */
  override log(_info: unknown, next: () => void): void {
    next()
  }

  override close(): void {
    this.#stopReports()
  }
}
