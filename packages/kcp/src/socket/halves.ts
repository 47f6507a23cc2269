import { MAX_DATAGRAM_BYTES, readU16, writeU16 } from './datagram.ts'

/** Before the bytes of a half: id u16, index u8, whole length u16. */
const HALF_HEADER_BYTES = 5
/** First halves that wait for their second: a burst of them may come in any order. */
const MAX_WAITING = 128

interface Half {
  readonly index: number
  readonly bytes: Uint8Array
}

/** KCP segments cut for a larger path than there is now travel in two halves, put together at the other end. */
export class Halves {
  #waiting: Map<number, Half> | undefined
  #id = 0

  /** Numbers the next pair. */
  begin(): void {
    this.#id = (this.#id + 1) & 0xffff
  }

  /**
   * Writes one half of `bytes[offset, offset + length)` to `target` at `at`.
   *
   * @returns How many bytes that took.
   */
  write(
    target: Uint8Array,
    at: number,
    index: 0 | 1,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const first = sizeOfHalf(0, length)
    const from = offset + index * first
    const size = sizeOfHalf(index, length)
    writeU16(target, at, this.#id)
    target[at + 2] = index
    writeU16(target, at + 3, length)
    target.set(bytes.subarray(from, from + size), at + HALF_HEADER_BYTES)
    return HALF_HEADER_BYTES + size
  }

  /**
   * Takes a half; any bytes may come.
   *
   * @returns The whole once both are here, `undefined` while one is missing, `malformed` when it is no half.
   */
  take(bytes: Uint8Array, start: number, end: number): Uint8Array | 'malformed' | undefined {
    const at = start + HALF_HEADER_BYTES
    if (at >= end) return 'malformed'
    const id = readU16(bytes, start)
    const index = bytes[start + 2]!
    const length = readU16(bytes, start + 3)
    if (index > 1 || length > MAX_DATAGRAM_BYTES) return 'malformed'
    if (end - at !== sizeOfHalf(index, length)) return 'malformed'
    const waiting = (this.#waiting ??= new Map<number, Half>())
    const other = waiting.get(id)
    if (other === undefined || other.index === index) {
      waiting.delete(id)
      if (waiting.size >= MAX_WAITING) waiting.delete(waiting.keys().next().value!)
      waiting.set(id, { index, bytes: new Uint8Array(bytes.subarray(at, end)) })
      return undefined
    }
    waiting.delete(id)
    if (waiting.size === 0) this.#waiting = undefined
    if (other.bytes.length + end - at !== length) return 'malformed'
    const whole = new Uint8Array(length)
    const first = sizeOfHalf(0, length)
    whole.set(other.bytes, other.index * first)
    whole.set(bytes.subarray(at, end), index * first)
    return whole
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = undefined
  }
}

const sizeOfHalf = (index: number, length: number): number =>
  index === 0 ? (length + 1) >> 1 : length >> 1
