import type { Clock } from '../clock.ts'
import { LENGTH_BYTES } from './batch-writer.ts'
import { readTurnsOf, type Interrupted, type ReadTurns } from './read-turns.ts'

/** A length word that announces a close: the frame after it holds code and reason. */
export const CLOSE_MARK = 0xffffffff
const MAX_CLOSE_BYTES = 512
const FIRST_BODY_BYTES = 4096
/** The clock is read once per so many messages. */
const MESSAGES_PER_LOOK = 16

/** Who takes what a {@link FrameReader} finds. */
export interface FrameSink {
  readonly maxMessageBytes: number
  /** Reading stops when this turns false. */
  readonly isOpen: boolean
  /** The bytes are valid only during the call. */
  onFrame(bytes: Uint8Array, start: number, end: number): void
  onCloseFrame(body: Uint8Array): void
  onTooLarge(bytes: number): void
  /** `true`: hold back what has not been read yet; it is asked for again with `false`. */
  onBehind(isBehind: boolean): void
}

/**
 * Cuts a byte stream into its messages. A message that lies whole in a chunk is handed out in place; one that
 * is cut is gathered in a buffer that grows with what has really arrived.
 */
export class FrameReader implements Interrupted {
  readonly #clock: Clock
  readonly #sink: FrameSink
  readonly #turns: ReadTurns
  readonly #head = new Uint8Array(LENGTH_BYTES)
  #headUsed = 0
  /** Length of the message being read; -1 while reading its length. */
  #needed = -1
  #body: Uint8Array | undefined
  #bodyUsed = 0
  #isCloseNext = false
  #backlog: Uint8Array[] = []

  constructor(clock: Clock, sink: FrameSink) {
    this.#clock = clock
    this.#sink = sink
    this.#turns = readTurnsOf(clock)
  }

  /** Chunks wait because the last slice took its time. */
  get isBehind(): boolean {
    return this.#backlog.length > 0
  }

  push(chunk: Uint8Array): void {
    if (this.#backlog.length > 0) {
      this.#backlog.push(chunk)
      return
    }
    const rest = this.#read(chunk, this.#turns.until())
    if (rest !== undefined) {
      this.#backlog.push(rest)
      this.#sink.onBehind(true)
      this.#turns.add(this)
    }
  }

  readOn(until: number): boolean {
    const chunks = this.#backlog
    this.#backlog = []
    for (let i = 0; i < chunks.length; i++) {
      const rest = this.#read(chunks[i]!, until)
      if (rest === undefined) continue
      this.#backlog = [rest, ...chunks.slice(i + 1)]
      return true
    }
    this.#sink.onBehind(false)
    return false
  }

  /** @returns What is left when the time is up. */
  #read(chunk: Uint8Array, until: number): Uint8Array | undefined {
    const sink = this.#sink
    const { length } = chunk
    let at = 0
    let messages = 0
    while (at < length && sink.isOpen) {
      if (this.#needed < 0) {
        if (this.#headUsed === 0 && length - at >= LENGTH_BYTES) {
          this.#needed = u32(chunk, at)
          at += LENGTH_BYTES
        } else {
          this.#head[this.#headUsed++] = chunk[at++]!
          if (this.#headUsed < LENGTH_BYTES) continue
          this.#headUsed = 0
          this.#needed = u32(this.#head, 0)
        }
        if (!this.#checkLength()) continue
      }
      const needed = this.#needed
      if (this.#body === undefined && length - at >= needed) {
        at += needed
        this.#deliver(chunk, at - needed, at)
      } else {
        at += this.#gather(chunk, at)
      }
      if (++messages % MESSAGES_PER_LOOK === 0 && at < length && this.#clock.now() >= until) {
        return chunk.subarray(at)
      }
    }
    return undefined
  }

  /** @returns Whether a message of the announced length follows. */
  #checkLength(): boolean {
    if (this.#needed === CLOSE_MARK && !this.#isCloseNext) {
      this.#isCloseNext = true
      this.#needed = -1
      return false
    }
    const limit = this.#isCloseNext ? MAX_CLOSE_BYTES : this.#sink.maxMessageBytes
    if (this.#needed <= limit) return true
    this.#sink.onTooLarge(this.#needed)
    return false
  }

  #gather(chunk: Uint8Array, at: number): number {
    const needed = this.#needed
    const count = Math.min(needed - this.#bodyUsed, chunk.length - at)
    const used = this.#bodyUsed + count
    let body = this.#body
    if (body === undefined || body.length < used) {
      const grown = new Uint8Array(Math.min(needed, Math.max(FIRST_BODY_BYTES, used * 2)))
      if (body !== undefined) grown.set(body.subarray(0, this.#bodyUsed))
      body = grown
      this.#body = grown
    }
    body.set(chunk.subarray(at, at + count), this.#bodyUsed)
    this.#bodyUsed = used
    if (used === needed) {
      this.#body = undefined
      this.#bodyUsed = 0
      this.#deliver(body, 0, needed)
    }
    return count
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#needed = -1
    if (this.#isCloseNext) this.#sink.onCloseFrame(bytes.subarray(start, end))
    else this.#sink.onFrame(bytes, start, end)
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  )
}
