interface Parked {
  readonly payload: Uint8Array
  readonly sinceMs: number
}

/** Frames of a player that wait for their backend: in order, bounded in bytes, each with its age. */
export class ParkedFrames {
  readonly #maxBytes: number
  #frames: Parked[] = []
  #head = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#frames.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** When the oldest frame came. */
  get oldestMs(): number | undefined {
    return this.#frames[this.#head]?.sinceMs
  }

  /** Keeps a copy. `false`: it does not fit, and nothing was kept. */
  push(payload: Uint8Array, nowMs: number): boolean {
    if (this.#bytes + payload.length > this.#maxBytes) return false
    this.#frames.push({ payload: Uint8Array.from(payload), sinceMs: nowMs })
    this.#bytes += payload.length
    return true
  }

  shift(): Uint8Array | undefined {
    const first = this.#frames[this.#head]
    if (first === undefined) return undefined
    this.#head += 1
    this.#bytes -= first.payload.length
    if (this.#head === this.#frames.length) this.clear()
    return first.payload
  }

  /** Gives all of them up. Returns how many there were. */
  clear(): number {
    const count = this.length
    this.#frames = []
    this.#head = 0
    this.#bytes = 0
    return count
  }
}
