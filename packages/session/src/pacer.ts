import type { Terms } from './frame.ts'
import { TokenBucket } from './token-bucket.ts'

/** The client stays this far below the server's rates, for clocks that do not run alike. */
const MARGIN = 0.9
/** A ping and an acknowledgement may be in flight beside the data. */
const SPARE_FRAMES = 2
const SPARE_BYTES = 32

/**
 * Keeps an honest client inside the server's rate limits, so that only one that ignores them is
 * ever cut off. Half of each burst is spent by sending ahead of the rate, the other half by what is
 * in flight: a network that holds frames back and lets them go at once adds no more than that.
 */
export class Pacer {
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #windowFrames: number
  readonly #windowBytes: number

  constructor(terms: Terms, nowMs: number) {
    const { messagesPerSecond, messageBurst, bytesPerSecond, byteBurst } = terms
    const messages = Math.max(1, Math.floor((messageBurst - SPARE_FRAMES) / 2))
    const bytes = Math.floor((byteBurst - SPARE_BYTES) / 2)
    this.#messages = new TokenBucket(messagesPerSecond * MARGIN, messages, nowMs)
    this.#bytes = new TokenBucket(bytesPerSecond * MARGIN, bytes, nowMs)
    this.#windowFrames = messagesPerSecond === 0 ? Infinity : messages
    this.#windowBytes = bytesPerSecond === 0 ? Infinity : bytes
  }

  /** Milliseconds until a frame may leave: 0 is now, `Infinity` is when an acknowledgement comes. */
  waitMs(frameBytes: number, inFlight: number, inFlightBytes: number, nowMs: number): number {
    if (inFlight >= this.#windowFrames) return Infinity
    if (inFlight > 0 && inFlightBytes + frameBytes > this.#windowBytes) return Infinity
    return Math.max(this.#messages.waitMs(1, nowMs), this.#bytes.waitMs(frameBytes, nowMs))
  }

  /** A frame left. */
  charge(frameBytes: number, nowMs: number): void {
    this.#messages.charge(1, nowMs)
    this.#bytes.charge(frameBytes, nowMs)
  }
}
