import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { DatedNames } from '../dated-name.ts'
import { LogError } from '../errors.ts'
import type { Rotation } from '../options.ts'
import { Appender, type Batch } from './appender.ts'

/** So much text is written without waiting for more. */
const BATCH_BYTES = 65_536
const RETRY_MS = 1000
const FLUSH_LIMIT_MS = 5000
/** How often the open file is looked at, to see whether somebody deleted it. */
const CHECK_INTERVAL_MS = 5000

export interface DatedFilesOptions {
  readonly folder: string
  readonly names: DatedNames
  readonly keep: number | undefined
  readonly flushIntervalMs: number
  readonly maxBufferedBytes: number
  readonly clock: Clock
  readonly onRotate: ((rotation: Rotation) => void | Promise<void>) | undefined
  readonly report: (error: LogError) => void
  /** The line that tells how many lines were dropped because the buffer was full. */
  readonly notice: (dropped: number, timeMs: number) => string
}

export interface DatedFilesStats {
  readonly lines: number
  readonly dropped: number
  readonly bufferedBytes: number
  readonly failures: number
}

interface Waiter {
  readonly line: number
  readonly settle: () => void
}

/**
 * Puts each line into the file of its time, in order, in few writes that nobody waits for.
 *
 * Nothing is renamed and no timer turns the files over: a line belongs to the file whose date it
 * bears. What waits for the disk is bounded; beyond the bound new lines are dropped, counted, and told
 * by a line of their own once there is room.
 */
export class DatedFiles {
  readonly #options: DatedFilesOptions
  readonly #appender = new Appender()
  readonly #waiters = new Set<Waiter>()
  #queue: Batch[] = []
  #bufferedBytes = 0
  #accepted = 0
  #settled = 0
  #dropped = 0
  #unreported = 0
  #failures = 0
  #isFailing = false
  #isRunning = false
  #isClosed = false
  #isExiting = false
  #cancelTimer: (() => void) | undefined
  #wake: (() => void) | undefined
  #checkedAt: number
  #lastFile: string | undefined
  #hooks: Promise<void> = Promise.resolve()

  constructor(options: DatedFilesOptions) {
    this.#options = options
    this.#checkedAt = options.clock.now()
  }

  write(timeMs: number, line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#isClosed) {
      this.#dropped += 1
      return
    }
    if (this.#bufferedBytes + bytes > this.#options.maxBufferedBytes) {
      this.#dropped += 1
      this.#unreported += 1
      return
    }
    this.#enqueue(timeMs, line, bytes)
    if (this.#isExiting) this.flushSync()
    else if (this.#queue.at(-1)!.bytes >= BATCH_BYTES) this.#start()
    else this.#startLater()
  }

  /**
   * Settles when every line written before is in its file.
   *
   * @throws LogError `LOG_FLUSH_TIMEOUT` when that takes longer than 5 s.
   */
  flush(): Promise<void> {
    const line = this.#accepted
    if (this.#settled >= line) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.setTimer(FLUSH_LIMIT_MS, () => {
        this.#waiters.delete(waiter)
        const left = line - this.#settled
        reject(
          new LogError('LOG_FLUSH_TIMEOUT', `${left} lines not written in ${FLUSH_LIMIT_MS} ms`),
        )
      })
      const waiter: Waiter = {
        line,
        settle: () => {
          cancel()
          resolve()
        },
      }
      this.#waiters.add(waiter)
      // A flush does not wait out a pause after a failure.
      this.#wake?.()
      this.#start()
    })
  }

  /** Writes all that waits, at once; for the end of a process. */
  flushSync(): void {
    if (this.#queue.length === 0 && this.#unreported === 0) return
    this.#tellDropped()
    const batches = this.#queue
    this.#queue = []
    try {
      this.#appender.appendSync(batches)
      for (const { file } of batches) this.#noteFile(file)
    } catch (error) {
      this.#failed(error, batches[0]!.file)
    }
    this.#bufferedBytes = 0
    this.#settle(this.#accepted)
  }

  /** From now on every line is written at once: there is no later. */
  flushAtExit(): void {
    this.#isExiting = true
    this.flushSync()
  }

  close(): void {
    if (this.#isClosed) return
    this.flushSync()
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#wake?.()
    this.#appender.close()
  }

  /** Settles when the hooks of all rotations so far have. */
  hooksDone(): Promise<void> {
    return this.#hooks
  }

  stats(): DatedFilesStats {
    return {
      lines: this.#accepted,
      dropped: this.#dropped,
      bufferedBytes: this.#bufferedBytes,
      failures: this.#failures,
    }
  }

  #enqueue(timeMs: number, line: string, bytes: number): void {
    const file = join(this.#options.folder, this.#options.names.of(timeMs))
    let batch = this.#queue.at(-1)
    if (batch?.file !== file || batch.encoded !== undefined || batch.bytes >= BATCH_BYTES) {
      batch = { file, text: '', bytes: 0, lines: 0, encoded: undefined, written: 0 }
      this.#queue.push(batch)
    }
    batch.text += line
    batch.bytes += bytes
    batch.lines += 1
    this.#bufferedBytes += bytes
    this.#accepted += 1
  }

  #startLater(): void {
    if (this.#isRunning || this.#cancelTimer !== undefined) return
    const { clock, flushIntervalMs } = this.#options
    this.#cancelTimer = clock.setTimer(flushIntervalMs, () => this.#start())
  }

  #start(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isClosed) {
      const batch = this.#queue[0]!
      try {
        await this.#checkDeleted()
        await this.#appender.open(batch.file)
        // A synchronous flush may have taken the batch meanwhile.
        if (this.#queue[0] !== batch) continue
        this.#noteFile(batch.file)
        await this.#appender.append(batch)
        if (this.#queue[0] === batch) this.#done(batch)
      } catch (error) {
        this.#failed(error, batch.file)
        if (this.#queue[0] === batch) await this.#pause()
      }
    }
    // In the same turn as the look at the queue, so that no line falls between.
    this.#isRunning = false
  }

  #done(batch: Batch): void {
    this.#queue.shift()
    this.#isFailing = false
    this.#bufferedBytes -= batch.bytes
    this.#settle(this.#settled + batch.lines)
    this.#tellDropped()
  }

  #settle(lines: number): void {
    this.#settled = lines
    for (const waiter of this.#waiters) {
      if (waiter.line > lines) continue
      this.#waiters.delete(waiter)
      waiter.settle()
    }
  }

  #tellDropped(): void {
    if (this.#unreported === 0) return
    const timeMs = this.#options.clock.wall()
    const line = this.#options.notice(this.#unreported, timeMs)
    this.#unreported = 0
    this.#enqueue(timeMs, line, Buffer.byteLength(line))
  }

  /** Reported once per streak of failures; the lines stay and are tried again. */
  #failed(cause: unknown, file: string): void {
    this.#failures += 1
    if (this.#isFailing) return
    this.#isFailing = true
    const isWrite = (cause as NodeJS.ErrnoException).syscall === 'write'
    const code = isWrite ? 'LOG_WRITE_FAILED' : 'LOG_OPEN_FAILED'
    const action = isWrite ? 'written' : 'opened'
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#options.report(new LogError(code, `${file} cannot be ${action}: ${reason}`, { cause }))
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(RETRY_MS, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  async #checkDeleted(): Promise<void> {
    const now = this.#options.clock.now()
    if (now - this.#checkedAt < CHECK_INTERVAL_MS) return
    this.#checkedAt = now
    await this.#appender.checkDeleted()
  }

  /** Lines go to this file now: removes old ones and calls the hook, both beside the lines. */
  #noteFile(file: string): void {
    const from = this.#lastFile
    if (file === from) return
    this.#lastFile = file
    const removed = this.#removeOld(file)
    const { onRotate, report } = this.#options
    this.#hooks = this.#hooks.then(async () => {
      const deleted = await removed
      if (from === undefined || onRotate === undefined) return
      try {
        await onRotate({ from, to: file, deleted })
      } catch (cause) {
        report(new LogError('LOG_HOOK_FAILED', `onRotate failed: ${String(cause)}`, { cause }))
      }
    })
  }

  async #removeOld(current: string): Promise<readonly string[]> {
    const { folder, keep, names, report } = this.#options
    if (keep === undefined) return []
    const deleted: string[] = []
    try {
      const all = (await readdir(folder)).filter((name) => names.owns(name)).sort()
      const old = all.slice(0, Math.max(0, all.length - keep)).map((name) => join(folder, name))
      for (const file of old.filter((name) => name !== current)) {
        if (await isDeleted(file)) deleted.push(file)
      }
    } catch (cause) {
      report(new LogError('LOG_RETENTION_FAILED', `old files stay: ${String(cause)}`, { cause }))
    }
    return deleted
  }
}

/** False when another process was faster. */
async function isDeleted(file: string): Promise<boolean> {
  try {
    await unlink(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
