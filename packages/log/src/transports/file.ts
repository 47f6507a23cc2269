import { callbackify } from 'node:util'
import type { LogRecord, LineFormat } from '../record.ts'
import type { DatedFiles } from './dated-files.ts'
import { Transport, type RecordTransport } from './record-transport.ts'

/** Lines in dated files. */
export class FileTransport extends Transport implements RecordTransport {
  readonly name: string = 'file'
  readonly #files: DatedFiles
  readonly #format: LineFormat

  constructor(files: DatedFiles, format: LineFormat, level: string | undefined) {
    super(level === undefined ? {} : { level })
    this.#files = files
    this.#format = format
  }

  writeRecord(record: LogRecord): void {
    this.#files.write(record.timeMs, this.#format(record))
  }

  /** winston asks for it; the logger never calls it. */
  override log(_info: unknown, next: () => void): void {
    next()
  }

  /** `logger.end()` waits for this. */
  override _final(callback: (error?: Error) => void): void {
    callbackify(() => this.#files.flush())(callback)
  }

  /** winston calls it when the transport is removed. */
  override close(): void {
    this.#files.close()
  }
}
