/** Longest prefix: seven bits a byte, 2^28 - 1 at most. */
export const MAX_PREFIX_BYTES = 4
export const MAX_FRAME_BYTES: number = 2 ** 28 - 1
/** A message is given this much room before any of it has come; more as it comes. */
const FIRST_ROOM_BYTES = 4096

/** Writes the length of a message before it. Returns how many bytes that took. */
export function writePrefix(bytes: Uint8Array, at: number, length: number): number {
  let rest = length
  let next = at
  while (rest > 0x7f) {
    bytes[next] = (rest & 0x7f) | 0x80
    next += 1
    rest >>>= 7
  }
  bytes[next] = rest
  return next + 1 - at
}

/** What a `FrameReader` finds. */
export interface FrameSink {
  readonly maxMessageBytes: number
  /** Looked at after each message: `false` has the reader keep the rest. */
  readonly isReading: boolean
  /** The bytes are valid only during the call. */
  onFrame(bytes: Uint8Array): void
  /** The stream cannot be read on. */
  onBadFrame(problem: 'tooLarge' | 'malformed', length: number): void
}

/**
 * Cuts a byte stream into messages with length prefixes. Memory is taken as bytes arrive, not as a length promises.
 * What the sink does not want yet is kept, also when it throws: no message is given twice, and none is left out.
 */
export class FrameReader {
  #prefix = 0
  #prefixBytes = 0
  /** -1 while a prefix is read. */
  #length = -1
  #partial: Uint8Array | undefined
  #have = 0
  #rest: Uint8Array | undefined
  #isBroken = false

  /** Bytes held: of a message that is not whole, and of those that are not wanted yet. */
  get heldBytes(): number {
    return (this.#partial?.length ?? 0) + this.restBytes
  }

  /** Bytes that were not wanted yet. */
  get restBytes(): number {
    return this.#rest?.length ?? 0
  }

  /** Goes on with what was not wanted before. */
  pushRest(sink: FrameSink): void {
    const rest = this.#rest
    if (rest === undefined) return
    this.#rest = undefined
    this.#read(rest, 0, rest.length, sink, true)
  }

  /** Takes bytes behind those that came before; `restBytes` must be 0. */
  push(bytes: Uint8Array, from: number, end: number, sink: FrameSink): void {
    this.#read(bytes, from, end, sink, false)
  }

  #read(bytes: Uint8Array, from: number, end: number, sink: FrameSink, isOurs: boolean): void {
    let at = from
    try {
      while (at < end && !this.#isBroken && sink.isReading) {
        if (this.#length < 0) {
          const byte = bytes[at]!
          at += 1
          this.#prefix |= (byte & 0x7f) << (7 * this.#prefixBytes)
          this.#prefixBytes += 1
          if (byte > 0x7f) {
            if (this.#prefixBytes === MAX_PREFIX_BYTES) this.#fail('malformed', 0, sink)
            continue
          }
          this.#length = this.#prefix
          this.#prefix = 0
          this.#prefixBytes = 0
          if (this.#length > sink.maxMessageBytes) {
            this.#fail('tooLarge', this.#length, sink)
            return
          }
          // Falls through also for an empty message at the very end.
        }
        const start = at
        const take = Math.min(this.#length - this.#have, end - at)
        at += take
        if (this.#have === 0 && take === this.#length) {
          this.#length = -1
          sink.onFrame(bytes.subarray(start, at))
        } else if (take > 0) {
          this.#keep(bytes, start, take)
          if (this.#have === this.#length) {
            const whole = this.#partial!.subarray(0, this.#length)
            this.#partial = undefined
            this.#have = 0
            this.#length = -1
            sink.onFrame(whole)
          }
        }
      }
    } finally {
      if (at < end && !this.#isBroken)
        this.#rest = isOurs ? bytes.subarray(at, end) : bytes.slice(at, end)
    }
  }

  #keep(bytes: Uint8Array, at: number, take: number): void {
    const needed = this.#have + take
    if (this.#partial === undefined || this.#partial.length < needed) {
      const room = Math.max(needed, Math.min(this.#length, Math.max(FIRST_ROOM_BYTES, needed * 2)))
      const larger = new Uint8Array(room)
      if (this.#partial !== undefined) larger.set(this.#partial.subarray(0, this.#have))
      this.#partial = larger
    }
    this.#partial.set(bytes.subarray(at, at + take), this.#have)
    this.#have = needed
  }

  #fail(problem: 'tooLarge' | 'malformed', length: number, sink: FrameSink): void {
    this.#isBroken = true
    this.#partial = undefined
    this.#rest = undefined
    sink.onBadFrame(problem, length)
  }
}
