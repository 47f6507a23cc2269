/** Sizes that are tried, the UDP payload counted: common tunnels, PPPoE, and Ethernet over IPv6 and IPv4. */
const SIZES = [1280, 1350, 1400, 1452, 1472, 1500] as const
/** On a line that loses a tenth of all datagrams, a size that fits is given up once in thousands. */
const MAX_TRIES = 5
const RETRY_MS = 400
/** After a size did not get through, or the path lost what was large, it is tried again. */
const REST_MS = 600_000
/** With what is in flight not acknowledged for so many RTOs, and yet the other end heard: the path loses what is large. */
const BLACK_HOLE_RTOS = 6
const BLACK_HOLE_MIN_MS = 1000

/** What tells whether data gets through. */
export interface Flight {
  readonly sndUna: number
  readonly waitSnd: number
  readonly rxRto: number
}

/**
 * Finds out how large a datagram the path carries by sending padded pings, never data, of the next larger size, and
 * notices when it carries them no longer.
 *
 * @see RFC 8899 for the idea.
 */
export class MtuProber {
  readonly #maxBytes: number
  readonly #baseBytes: number
  #tries = 0
  #dueMs: number
  #bytes: number
  /** When something new was last acknowledged, or nothing had to be. */
  #progressMs: number
  #lastUna = 0

  constructor(baseBytes: number, maxBytes: number, nowMs: number) {
    this.#baseBytes = baseBytes
    this.#maxBytes = maxBytes
    this.#bytes = baseBytes
    this.#dueMs = nowMs
    this.#progressMs = nowMs
  }

  /** What is known to get through. */
  get bytes(): number {
    return this.#bytes
  }

  /** When there is something to probe, or to look at while data is in flight. */
  nextDueMs(isInFlight: boolean, nowMs: number): number {
    const due = this.#nextSize() === undefined ? Infinity : this.#dueMs
    const isLarge = this.#bytes > this.#baseBytes
    return isLarge && isInFlight ? Math.min(due, nowMs + BLACK_HOLE_MIN_MS) : due
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
    this.#bytes = size
    this.#tries = 0
    this.#dueMs = nowMs
    this.#progressMs = nowMs
    return true
  }

  /** Looks whether data still gets through. `false`: no longer, and `bytes` is the base again. */
  watch({ sndUna, waitSnd, rxRto }: Flight, nowMs: number): boolean {
    if (sndUna !== this.#lastUna || waitSnd === 0) {
      this.#lastUna = sndUna
      this.#progressMs = nowMs
    }
    const patience = Math.max(BLACK_HOLE_MIN_MS, BLACK_HOLE_RTOS * rxRto)
    if (this.#bytes === this.#baseBytes || nowMs - this.#progressMs < patience) return true
    this.reset(nowMs + REST_MS)
    return false
  }

  /** Another path: all is to be found out anew, from `dueMs` on. */
  reset(dueMs: number): void {
    this.#bytes = this.#baseBytes
    this.#tries = 0
    this.#dueMs = dueMs
  }

  #nextSize(): number | undefined {
    return SIZES.find((size) => size > this.#bytes && size <= this.#maxBytes)
  }
}
