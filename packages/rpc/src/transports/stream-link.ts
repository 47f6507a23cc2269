import { utf8 } from '../byte-writer.ts'
import { systemClock, type Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { bufferedBytesFor, messageBytesFor } from '../limits.ts'
import type { Link, LinkOptions } from '../link.ts'
import { BatchWriter, LENGTH_BYTES, type Piece } from './batch-writer.ts'
import { CLOSE_MARK, FrameReader, type FrameSink } from './frame-reader.ts'
import type { SlabPool } from './slab-pool.ts'

const MAX_HIGH_WATER_BYTES = 256 * 1024
const MAX_REASON_BYTES = 200
/** How long a closed link may take to flush. */
const LINGER_MS = 2000

/** The byte stream under a link: a socket, a WebSocket. */
export interface ByteStream {
  /** Writes all pieces as one where it can; `left` is called when their bytes have left this process. */
  write(pieces: readonly Piece[], left: () => void): void
  pause(): void
  resume(): void
  /** Closes after what was written. */
  end(): void
  /** Closes now. */
  destroy(): void
}

/**
 * When messages leave. `tick`: those of one turn of the event loop together, at its end. `immediate`: each at once, a
 * write apiece. `manual`: when `flush` of the transport is called, as a game does at the end of its tick. What fills a
 * slab leaves at once in each of them.
 */
export type FlushMode = 'immediate' | 'tick' | 'manual'

const FLUSH_MODES: readonly string[] = ['immediate', 'tick', 'manual'] satisfies FlushMode[]

/** @throws RangeError for what is no mode. */
export function flushModeOf(mode: FlushMode = 'tick'): FlushMode {
  if (FLUSH_MODES.includes(mode)) return mode
  throw new RangeError(`flush must be one of ${FLUSH_MODES.join(', ')}, got ${String(mode)}`)
}

/** A link over a byte stream: u32 little-endian length and message, many messages in one write. */
export class StreamLink implements Link, FrameSink {
  readonly remote: string
  maxMessageBytes: number
  maxBufferedBytes: number
  isProvenServer = false
  isOpen = true
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #stream: ByteStream
  readonly #clock: Clock
  readonly #pool: SlabPool
  protected readonly writer: BatchWriter
  readonly #reader: FrameReader
  readonly #flushMode: FlushMode
  readonly #flush = (): void => this.flush()
  #isFlushDue = false
  #written = 0
  #wantsDrain = false
  #isClosed = false
  #endAfterBacklog: (() => void) | undefined
  #cancelLinger: (() => void) | undefined

  constructor(
    remote: string,
    stream: ByteStream,
    pool: SlabPool,
    options: LinkOptions,
    flushMode: FlushMode = 'tick',
    writer: BatchWriter = new BatchWriter(pool),
  ) {
    this.remote = remote
    this.#flushMode = flushMode
    this.#stream = stream
    this.#clock = options.clock ?? systemClock
    this.#pool = pool
    this.writer = writer
    this.#reader = new FrameReader(this.#clock, this)
    this.maxMessageBytes = options.maxMessageBytes ?? messageBytesFor(options.trust)
    this.maxBufferedBytes = options.maxBufferedBytes ?? bufferedBytesFor(options.trust)
  }

  get bufferedBytes(): number {
    return this.writer.size + this.#written
  }

  send(message: Uint8Array): boolean {
    if (!this.isOpen) return false
    const buffered = this.bufferedBytes + message.length + LENGTH_BYTES
    if (buffered > this.maxBufferedBytes) {
      this.reset(CLOSE.slowReader, `${buffered} bytes wait for ${this.remote}`)
      return false
    }
    this.writer.append(message)
    return this.collected(buffered)
  }

  /** A message has been written, and so many bytes wait now. */
  protected collected(buffered: number): boolean {
    const { writer } = this
    if (writer.fullSize > 0) this.#write(writer.fullSize, writer.takeFull())
    this.#flushLater()
    if (buffered < MAX_HIGH_WATER_BYTES && buffered * 2 < this.maxBufferedBytes) return true
    this.#wantsDrain = true
    return false
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.writer.appendMark(CLOSE_MARK)
    this.writer.append(closeBody(code, reason))
    this.flush()
    this.#leave()
    this.#clock.defer(() => this.#finish(code, reason))
  }

  /** Closes with no flush: the other end learns no more than that the link is lost. */
  reset(code: number = CLOSE.lost, reason = 'reset'): void {
    if (this.#isClosed) return
    this.isOpen = false
    this.#stream.destroy()
    this.#clock.defer(() => this.#finish(code, reason))
  }

  /** For the transport: bytes arrived. */
  feed(chunk: Uint8Array): void {
    if (this.isOpen) this.#reader.push(chunk)
  }

  /** For the transport: the stream is over. */
  ended(reason: string): void {
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    if (!this.isOpen) return
    const finish = (): void => {
      this.isOpen = false
      this.#stream.destroy()
      this.#finish(CLOSE.lost, reason)
    }
    if (this.#reader.isBehind) this.#endAfterBacklog = finish
    else finish()
  }

  /** Writes what `send` has collected. */
  flush(): void {
    this.#isFlushDue = false
    const bytes = this.writer.size
    if (bytes === 0) return
    this.#write(bytes, this.writer.take())
  }

  onFrame(bytes: Uint8Array, start: number, end: number): void {
    this.onMessage(bytes.subarray(start, end))
  }

  onCloseFrame(body: Uint8Array): void {
    const code = body.length >= 2 ? body[0]! | (body[1]! << 8) : CLOSE.normal
    const reason = new TextDecoder().decode(body.subarray(2))
    this.isOpen = false
    this.#leave()
    this.#finish(code, reason)
  }

  onTooLarge(bytes: number): void {
    this.close(CLOSE.tooLarge, `a message of ${bytes} bytes, ${this.maxMessageBytes} are accepted`)
  }

  onBehind(isBehind: boolean): void {
    if (isBehind) {
      this.#stream.pause()
      return
    }
    this.#stream.resume()
    this.#endAfterBacklog?.()
  }

  #flushLater(): void {
    if (this.#flushMode === 'immediate') this.flush()
    else if (this.#flushMode === 'tick' && !this.#isFlushDue) {
      this.#isFlushDue = true
      this.#clock.defer(this.#flush)
    }
  }

  #write(bytes: number, pieces: readonly Piece[]): void {
    this.#written += bytes
    this.#stream.write(pieces, () => {
      this.#written -= bytes
      for (const piece of pieces) this.#pool.give(piece.slab)
      this.#drain()
    })
  }

  #leave(): void {
    this.#stream.end()
    this.#cancelLinger = this.#clock.setTimer(LINGER_MS, () => this.#stream.destroy())
  }

  #drain(): void {
    const buffered = this.bufferedBytes
    if (!this.#wantsDrain || !this.isOpen) return
    if (buffered * 2 > MAX_HIGH_WATER_BYTES || buffered * 4 > this.maxBufferedBytes) return
    this.#wantsDrain = false
    this.onDrain()
  }

  #finish(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onClose(code, reason)
  }
}

function closeBody(code: number, reason: string): Uint8Array {
  const text = utf8(reason).subarray(0, MAX_REASON_BYTES)
  const body = new Uint8Array(2 + text.length)
  body[0] = code
  body[1] = code >>> 8
  body.set(text, 2)
  return body
}
