/** How long a hash is known at least; at most twice that. */
export const GENERATION_MS = 4000
const BLOCKS = 2 ** 14
/** Of one generation in a block: 512 bits, a line of the cache. */
const GENERATION_WORDS = 16
/** The line of the other generation lies beside it: each access is one more miss of the cache, and of its pages. */
const BLOCK_WORDS = 2 * GENERATION_WORDS

/**
 * Which 64-bit hashes came of late: Bloom filters of two generations, of 1 MiB each, of which the older is
 * emptied when the younger is `GENERATION_MS` old. A hash sets four bits in one of 16,384 blocks. What was added
 * is known; of what was not, 1 in 900 is taken for known by each generation of 400,000.
 *
 * The hashes must be keyed, or whoever chooses what is hashed can fill the filters with less.
 *
 * @see Putze, Sanders and Singler, "Cache-, hash- and space-efficient Bloom filters", 2007, for the blocks.
 */
export class RecentHashes {
  readonly #words = new Int32Array(BLOCKS * BLOCK_WORDS)
  #youngAt = 0
  #turnAtMs: number

  constructor(nowMs: number) {
    this.#turnAtMs = nowMs + GENERATION_MS
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  /** @param low, high - Two halves of a hash, 32 bits each. */
  has(low: number, high: number, nowMs: number): boolean {
    this.#turn(nowMs)
    const block = blockOf(low)
    return (
      isIn(this.#words, block, low, high) || isIn(this.#words, block + GENERATION_WORDS, low, high)
    )
  }

  add(low: number, high: number, nowMs: number): void {
    this.#turn(nowMs)
    const line = blockOf(low) + this.#youngAt
    set(this.#words, line, low >>> 14)
    set(this.#words, line, low >>> 23)
    set(this.#words, line, high)
    set(this.#words, line, high >>> 9)
  }

  #turn(nowMs: number): void {
    const late = nowMs - this.#turnAtMs
    if (late < 0) return
    if (late >= GENERATION_MS) this.#words.fill(0)
    this.#youngAt = GENERATION_WORDS - this.#youngAt
    const words = this.#words
    for (let line = this.#youngAt; line < words.length; line += BLOCK_WORDS)
      words.fill(0, line, line + GENERATION_WORDS)
    this.#turnAtMs += GENERATION_MS * (Math.floor(late / GENERATION_MS) + 1)
  }
}

const blockOf = (low: number): number => (low & (BLOCKS - 1)) * BLOCK_WORDS

function isIn(words: Int32Array, line: number, low: number, high: number): boolean {
  return (
    isSet(words, line, low >>> 14) &&
    isSet(words, line, low >>> 23) &&
    isSet(words, line, high) &&
    isSet(words, line, high >>> 9)
  )
}

/** By the lowest nine bits of a number. */
const isSet = (words: Int32Array, line: number, bit: number): boolean =>
  (words[line + ((bit & 511) >>> 5)]! & (1 << bit)) !== 0

function set(words: Int32Array, line: number, bit: number): void {
  words[line + ((bit & 511) >>> 5)]! |= 1 << bit
}
