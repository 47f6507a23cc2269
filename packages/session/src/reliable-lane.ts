import { serialAdd, serialAtMost, serialDistance } from './serial-number.ts'

interface Kept {
  readonly frame: Uint8Array
  readonly sinceMs: number
}

/**
 * The sending half of the reliable lane: frames in order, each kept until the other end has
 * acknowledged it, so that a new link can go on where the old one broke off.
 */
export class ReliableSender {
  /** Frames from `#head` on are kept. The first `#sent` of those have left on the present link. */
  #frames: (Kept | undefined)[] = []
  #head = 0
  #sent = 0
  /** The first so many of the kept frames have left on some link. */
  #everSent = 0
  #acked: number
  #bytes = 0
  #sentBytes = 0

  /** @param acked - The sequence number that counts as acknowledged at the start. */
  constructor(acked = 0) {
    this.#acked = acked >>> 0
  }

  /** Frames kept. */
  get length(): number {
    return this.#frames.length - this.#head
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** Frames, and their bytes, that left on this link and are not acknowledged. */
  get inFlight(): number {
    return this.#sent
  }

  get inFlightBytes(): number {
    return this.#sentBytes
  }

  /** The number the next pushed frame must carry. */
  get nextSeq(): number {
    return serialAdd(this.#acked, this.length + 1)
  }

  /** When the oldest kept frame was pushed. */
  get oldestMs(): number | undefined {
    return this.#frames[this.#head]?.sinceMs
  }

  push(frame: Uint8Array, nowMs: number): void {
    this.#frames.push({ frame, sinceMs: nowMs })
    this.#bytes += frame.length
  }

  /** The next frame to hand to the link. */
  peek(): Uint8Array | undefined {
    return this.#frames[this.#head + this.#sent]?.frame
  }

  /** The peeked frame was handed to the link. Returns whether it had been sent on an older one. */
  markSent(): boolean {
    this.#sentBytes += this.#frames[this.#head + this.#sent]?.frame.length ?? 0
    this.#sent += 1
    const again = this.#sent <= this.#everSent
    if (!again) this.#everSent = this.#sent
    return again
  }

  /** Whether the frame with this number left on this link or needs to no more. */
  hasSent(seq: number): boolean {
    return serialAtMost(seq, serialAdd(this.#acked, this.#sent))
  }

  /**
   * Takes a cumulative acknowledgement.
   *
   * @returns How many frames it freed, or `undefined` when it names one that was not sent on this link.
   */
  acknowledge(seq: number): number | undefined {
    const count = serialDistance(this.#acked, seq)
    if (count > this.#sent) return undefined
    this.#free(count)
    return count
  }

  /**
   * A new link: the other end says what it received last; the rest is to be sent again.
   *
   * @returns `false` when it names a frame that was never sent; nothing changes then.
   */
  resumeFrom(lastReceived: number): boolean {
    const count = serialDistance(this.#acked, lastReceived)
    if (count > this.#everSent) return false
    this.#sent = this.#everSent
    this.#free(count)
    this.#sent = 0
    this.#sentBytes = 0
    return true
  }

  /** Forgets everything and starts at number 1 again. Returns how many frames were kept. */
  reset(): number {
    const count = this.length
    this.#frames = []
    this.#head = this.#sent = this.#everSent = this.#acked = this.#bytes = this.#sentBytes = 0
    return count
  }

  #free(count: number): void {
    for (let i = 0; i < count; i++) {
      const length = this.#frames[this.#head]?.frame.length ?? 0
      this.#frames[this.#head++] = undefined
      this.#bytes -= length
      this.#sentBytes -= length
    }
    this.#sent -= count
    this.#everSent -= count
    this.#acked = serialAdd(this.#acked, count)
    if (this.#head > 64 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head)
      this.#head = 0
    }
  }
}

/** The receiving half: lets each frame through once, in order. */
export class ReliableReceiver {
  #last: number

  /** @param last - The sequence number that counts as received at the start. */
  constructor(last = 0) {
    this.#last = last >>> 0
  }

  /** The number of the last frame let through: the cumulative acknowledgement. */
  get lastReceived(): number {
    return this.#last
  }

  /** `gap`: frames before this one are missing, which an ordered link must never do. */
  accept(seq: number): 'next' | 'duplicate' | 'gap' {
    if (seq === serialAdd(this.#last, 1)) {
      this.#last = seq
      return 'next'
    }
    return serialAtMost(seq, this.#last) ? 'duplicate' : 'gap'
  }

  reset(): void {
    this.#last = 0
  }
}
