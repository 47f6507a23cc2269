/** Sizes that are tried, the UDP payload counted: common tunnels, PPPoE, and Ethernet over IPv6 and IPv4. */
const SIZES = [1280, 1350, 1400, 1452, 1472, 1500] as const
/** On a line that loses a tenth of all datagrams, a size that fits is given up once in thousands. */
const MAX_TRIES = 5
const RETRY_MS = 400
/** After a size did not get through, or the path lost what was large, it is tried again. */
const REST_MS = 600_000

/**
 * Finds out how large a datagram the path carries by sending padded pings, never data, of the next larger size.
 *
 * @see RFC 8899 for the idea.
 */
export class MtuProber {
  readonly #maxBytes: number
  #tries = 0
  #dueMs = 0
  /** What is known to get through. */
  bytes: number

  constructor(baseBytes: number, maxBytes: number, nowMs: number) {
    this.bytes = baseBytes
    this.#maxBytes = maxBytes
    this.#dueMs = nowMs
  }

  get nextDueMs(): number {
    return this.#nextSize() === undefined ? Infinity : this.#dueMs
  }

  /** The size of the probe to send now, if one is due. */
  probe(nowMs: number): number | undefined {
    const size = this.#nextSize()
    if (size === undefined || nowMs < this.#dueMs) return undefined
    if (this.#tries === MAX_TRIES) {
      this.#tries = 0
      this.#dueMs = nowMs + REST_MS
      return undefined
    }
    this.#tries += 1
    this.#dueMs = nowMs + RETRY_MS
    return size
  }

  /** A probe of that size was answered. Returns whether it is news. */
  confirm(size: number, nowMs: number): boolean {
    if (size !== this.#nextSize()) return false
    this.bytes = size
    this.#tries = 0
    this.#dueMs = nowMs
    return true
  }

  /** The path has become smaller. */
  fallBack(baseBytes: number, nowMs: number): void {
    this.bytes = baseBytes
    this.#tries = 0
    this.#dueMs = nowMs + REST_MS
  }

  /** Another path: all is to be found out anew. */
  reset(baseBytes: number, nowMs: number): void {
    this.bytes = baseBytes
    this.#tries = 0
    this.#dueMs = nowMs
  }

  #nextSize(): number | undefined {
    return SIZES.find((size) => size > this.bytes && size <= this.#maxBytes)
  }
}
