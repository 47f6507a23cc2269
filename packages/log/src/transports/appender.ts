import {
  close,
  closeSync,
  fstat,
  fstatSync,
  mkdir,
  mkdirSync,
  open,
  openSync,
  write,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

const openFile = promisify(open)
const statFile = promisify(fstat)
const makeFolder = promisify(mkdir)
/** Not `promisify(write)`: that one would keep the whole buffer in its result. */
const writeBytes = (fd: number, bytes: Uint8Array, from: number): Promise<number> =>
  new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error === null) resolve(written)
      else reject(error)
    })
  })

/** How long a synchronous flush waits for a write that is already on its way. */
const IN_FLIGHT_LIMIT_MS = 1000

/** Bytes for one file, and how many of them are in it. */
export interface Batch {
  readonly file: string
  text: string
  bytes: number
  lines: number
  /** Set when writing begins; from then on the text is closed. */
  encoded: Uint8Array | undefined
  written: number
}

/**
 * One open file that grows at its end. Batches are appended one after another; at the end of a
 * process they can be appended synchronously, after what is on its way.
 */
export class Appender {
  #fd: number | undefined
  #file: string | undefined
  #size = 0
  #inFlight: { readonly batch: Batch; readonly endsAt: number } | undefined
  #isClosed = false

  get file(): string | undefined {
    return this.#file
  }

  /** Opens the file, made with its folder when missing, unless it is the open one. */
  async open(file: string): Promise<void> {
    if (this.#file === file) return
    this.#release()
    await makeFolder(dirname(file), { recursive: true })
    const fd = await openFile(file, 'a')
    const { size } = await statFile(fd)
    if (this.#isClosed) closeSync(fd)
    else [this.#fd, this.#file, this.#size] = [fd, file, size]
  }

  /** Lets go of the file when somebody deleted it, so that the next `open` makes a new one. */
  async checkDeleted(): Promise<void> {
    if (this.#fd === undefined) return
    const { nlink, size } = await statFile(this.#fd)
    this.#size = size
    if (nlink === 0) this.#release()
  }

  /** Appends the rest of the batch to the open file. */
  async append(batch: Batch): Promise<void> {
    const bytes = encode(batch)
    while (batch.written < bytes.length && this.#fd !== undefined) {
      const from = batch.written
      this.#inFlight = { batch, endsAt: this.#size + bytes.length - from }
      let hasFailed = true
      try {
        const written = await writeBytes(this.#fd, bytes, from)
        this.#size += written
        // A synchronous flush may have waited for these bytes and counted them.
        batch.written = Math.max(batch.written, from + written)
        hasFailed = false
      } finally {
        this.#inFlight = undefined
        // After a failure the next attempt opens the file anew.
        if (this.#isClosed || hasFailed) this.#release()
      }
    }
  }

  /** Appends batches to their files at once, after what is on its way. */
  appendSync(batches: readonly Batch[]): void {
    this.#waitForFlight()
    for (const batch of batches) {
      const bytes = encode(batch)
      if (batch.written >= bytes.length) continue
      const isOpen = batch.file === this.#file && this.#fd !== undefined
      const fd = isOpen ? this.#fd! : openNow(batch.file)
      try {
        while (batch.written < bytes.length) {
          const written = writeSync(fd, bytes, batch.written)
          batch.written += written
          if (isOpen) this.#size += written
        }
      } finally {
        if (!isOpen) closeSync(fd)
      }
    }
  }

  close(): void {
    this.#isClosed = true
    // A descriptor that is being written to must not be closed: its number could become another file's.
    if (this.#inFlight === undefined) this.#release()
  }

  #release(): void {
    const fd = this.#fd
    this.#fd = undefined
    this.#file = undefined
    if (fd !== undefined) close(fd, () => {})
  }

  /**
   * A write that was handed to Node's thread pool goes on while this thread waits; the file's size tells
   * when it is done. If it takes too long its lines come later than they should, but they come: Node
   * finishes it before the process ends.
   */
  #waitForFlight(): void {
    if (this.#inFlight === undefined || this.#fd === undefined) return
    const { batch, endsAt } = this.#inFlight
    const nap = new Int32Array(new SharedArrayBuffer(4))
    for (let waited = 0; waited < IN_FLIGHT_LIMIT_MS; waited += 1) {
      if (fstatSync(this.#fd).size >= endsAt) break
      Atomics.wait(nap, 0, 0, 1)
    }
    batch.written = encode(batch).length
  }
}

function encode(batch: Batch): Uint8Array {
  return (batch.encoded ??= Buffer.from(batch.text))
}

function openNow(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  return openSync(file, 'a')
}
