import type { Kcp } from '../kcp.ts'
import { ByteQueue } from './byte-queue.ts'
import { MAX_PREFIX_BYTES, writePrefix } from './frames.ts'
import type { Framing } from './inbox.ts'

/** Segments kept ready in KCP beyond its window; the rest waits outside, where it costs less. */
const READY_SEGMENTS = 32
/** One call of KCP's `send` gets so much at most, so that it stays near the mark above. */
const FEED_BYTES = 16 * 1024
/** A message up to this size is put together with its prefix before it is handed to KCP. */
const SMALL_BYTES = 1400

const prefix = new Uint8Array(SMALL_BYTES + MAX_PREFIX_BYTES)

/** What was sent and is not acknowledged: in KCP what soon goes, the rest before it. */
export class Outbox {
  readonly #kcp: Kcp
  readonly #framing: Framing
  #backlog: ByteQueue | undefined

  constructor(kcp: Kcp, framing: Framing) {
    this.#kcp = kcp
    this.#framing = framing
  }

  /** Bytes not acknowledged. */
  get bytes(): number {
    return (this.#backlog?.size ?? 0) + this.#kcp.waitSndBytes
  }

  get hasBacklog(): boolean {
    return this.#backlog !== undefined
  }

  /** Everything has been sent and acknowledged. */
  get isEmpty(): boolean {
    return this.#backlog === undefined && this.#kcp.waitSnd === 0
  }

  /** Copies a message. `false`, in message framing: KCP is full, or it is too large for the peer's window. */
  push(message: Uint8Array): boolean {
    const { length } = message
    if (this.#framing === 'messages') return this.#kcp.send(message) >= 0
    if (this.#framing === 'stream') this.#feed(message, length)
    else {
      const size = writePrefix(prefix, 0, length)
      if (length <= SMALL_BYTES) {
        prefix.set(message, size)
        this.#feed(prefix, size + length)
      } else {
        this.#feed(prefix, size)
        this.#feed(message, length)
      }
    }
    return true
  }

  /** Gives KCP as much of the backlog as it can soon send. */
  feed(): void {
    const backlog = this.#backlog
    if (backlog === undefined) return
    backlog.drain((bytes, from, end) => this.#offer(bytes, from, end))
    if (backlog.size === 0) this.#backlog = undefined
  }

  /** Forgets what KCP has not been given. */
  clear(): void {
    this.#backlog = undefined
  }

  #feed(bytes: Uint8Array, length: number): void {
    let at = 0
    if (this.#backlog === undefined) at = this.#offer(bytes, 0, length)
    if (at === length) return
    this.#backlog ??= new ByteQueue()
    this.#backlog.push(bytes, at, length)
  }

  #offer(bytes: Uint8Array, from: number, end: number): number {
    const kcp = this.#kcp
    const limit = kcp.sndWnd + READY_SEGMENTS
    let at = from
    while (at < end && kcp.waitSnd < limit) {
      const size = Math.min(end - at, FEED_BYTES)
      if (kcp.send(bytes, at, size) < 0) break
      at += size
    }
    return at - from
  }
}
