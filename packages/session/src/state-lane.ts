interface Entry {
  readonly epoch: number
  readonly key: number
  frame: Uint8Array
  /** Grows with each replacement, so that an acknowledgement of an older frame frees nothing. */
  version: number
}

interface Flight {
  readonly entry: Entry
  readonly version: number
  readonly bytes: number
}

/** Acknowledgements of state frames are 16 bits wide; half of that may be in flight. */
const MAX_IN_FLIGHT = 0x7fff

/**
 * The sending half of the state lane: for each (epoch, key) only the newest frame is kept, until it
 * has arrived. A link that is slow or away therefore costs a bounded amount of memory, and after a
 * new link what the other end has last is still the newest.
 */
export class StateSender {
  readonly #maxBytes: number
  readonly #epochs = new Map<number, Map<number, Entry>>()
  /** All entries, the one untouched for longest first. */
  readonly #entries = new Set<Entry>()
  /** Those whose newest frame has not left on this link, in the order they wait. */
  readonly #waiting = new Set<Entry>()
  #flights: Flight[] = []
  #flightHead = 0
  #inFlightBytes = 0
  #bytes = 0
  #acked = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get length(): number {
    return this.#entries.size
  }

  get inFlight(): number {
    return this.#flights.length - this.#flightHead
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** Takes a frame. Returns what it cost: how many waiting frames it replaced and how many had to go. */
  push(epoch: number, key: number, frame: Uint8Array): { replaced: number; dropped: number } {
    let keys = this.#epochs.get(epoch)
    if (keys === undefined) this.#epochs.set(epoch, (keys = new Map()))
    let entry = keys.get(key)
    let replaced = 0
    if (entry === undefined) {
      entry = { epoch, key, frame, version: 0 }
      keys.set(key, entry)
      this.#bytes += frame.length
    } else {
      if (this.#waiting.has(entry)) replaced = 1
      this.#bytes += frame.length - entry.frame.length
      entry.frame = frame
      entry.version += 1
      this.#entries.delete(entry)
    }
    this.#entries.add(entry)
    this.#waiting.add(entry)

    let dropped = 0
    for (const oldest of this.#entries) {
      if (this.#bytes <= this.#maxBytes || oldest === entry) break
      if (this.#waiting.has(oldest)) dropped += 1
      this.#remove(oldest)
    }
    return { replaced, dropped }
  }

  /** The next frame to hand to the link whose epoch is ready to be used. */
  peek(isReady: (epoch: number) => boolean): Uint8Array | undefined {
    if (this.inFlight >= MAX_IN_FLIGHT) return undefined
    for (const entry of this.#waiting) {
      if (isReady(entry.epoch)) return entry.frame
    }
    return undefined
  }

  /** The frame last peeked was handed to the link. */
  markSent(frame: Uint8Array): void {
    for (const entry of this.#waiting) {
      if (entry.frame !== frame) continue
      this.#waiting.delete(entry)
      this.#flights.push({ entry, version: entry.version, bytes: frame.length })
      this.#inFlightBytes += frame.length
      return
    }
  }

  /**
   * Takes the other end's count of state frames received on this link, in 16 bits.
   *
   * @returns How many frames it covers, or `undefined` when fewer were sent.
   */
  acknowledge(received: number): number | undefined {
    const count = (received - this.#acked) & 0xffff
    if (count > this.inFlight) return undefined
    for (let i = 0; i < count; i++) {
      const flight = this.#flights[this.#flightHead++]
      if (flight === undefined) break
      this.#inFlightBytes -= flight.bytes
      if (flight.entry.version === flight.version && this.#entries.has(flight.entry)) {
        this.#remove(flight.entry)
      }
    }
    this.#acked = received
    if (this.#flightHead > 64 && this.#flightHead * 2 > this.#flights.length) {
      this.#flights = this.#flights.slice(this.#flightHead)
      this.#flightHead = 0
    }
    return count
  }

  /** A new link: what was in flight may be lost, so every kept frame waits again. */
  relink(): void {
    this.#waiting.clear()
    for (const entry of this.#entries) this.#waiting.add(entry)
    this.#flights = []
    this.#flightHead = this.#inFlightBytes = this.#acked = 0
  }

  /** Forgets the frames of an epoch that is over. */
  purge(epoch: number): void {
    const keys = this.#epochs.get(epoch)
    if (keys !== undefined) for (const entry of keys.values()) this.#remove(entry)
  }

  reset(): void {
    this.#epochs.clear()
    this.#entries.clear()
    this.#bytes = 0
    this.relink()
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry)
    this.#waiting.delete(entry)
    this.#bytes -= entry.frame.length
    const keys = this.#epochs.get(entry.epoch)
    keys?.delete(entry.key)
    if (keys?.size === 0) this.#epochs.delete(entry.epoch)
  }
}
