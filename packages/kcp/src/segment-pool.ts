/**
 * Small messages in flight need no more, nor do whole datagrams: room that is not used takes its place in the
 * processor's cache all the same. What is larger is a power of two.
 */
const SMALL_BYTES = 256
const DATAGRAM_BYTES = 1536
const LARGE_BITS = 11
const SIZES: readonly number[] = [
  SMALL_BYTES,
  DATAGRAM_BYTES,
  ...Array.from({ length: 32 - LARGE_BITS }, (_, index) => 2 ** (LARGE_BITS + index)),
]

/** Bytes that are lent. */
export class Block {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where it goes when it is given back. */
  readonly home: FreeBlocks
  /** Segments that still need the bytes. */
  references = 0
  #start = 0
  #length = 0
  #part: Uint8Array | undefined

  constructor(home: FreeBlocks) {
    this.bytes = new Uint8Array(home.byteLength)
    this.view = new DataView(this.bytes.buffer)
    this.home = home
  }

  /**
   * A part that was asked for before, as an array of its own; such a copy is twice as fast. The payloads of full
   * datagrams lie in the same place one after the other. Of a part that is new nothing is made.
   */
  partAgain(start: number, length: number): Uint8Array | undefined {
    const part = this.#part
    if (part !== undefined && part.byteOffset === start && part.length === length) return part
    if (start === this.#start && length === this.#length)
      return (this.#part = this.bytes.subarray(start, start + length))
    this.#start = start
    this.#length = length
    return undefined
  }
}

/** Blocks of one size that lie free. The one given back last, which the processor may still hold, is lent first. */
export class FreeBlocks {
  readonly byteLength: number
  readonly #blocks: Block[] = []
  /** So many at the bottom nobody has needed since the last trim. */
  #fewest = 0

  constructor(byteLength: number) {
    this.byteLength = byteLength
  }

  /** One that lies here, if any. */
  take(): Block | undefined {
    const block = this.#blocks.pop()
    if (this.#blocks.length < this.#fewest) this.#fewest = this.#blocks.length
    return block
  }

  give(block: Block): void {
    this.#blocks.push(block)
  }

  /** Forgets what nobody has needed since the last time, and tells how many bytes that is. */
  trim(): number {
    const count = this.#fewest
    this.#blocks.splice(0, count)
    this.#fewest = this.#blocks.length
    return count * this.byteLength
  }
}

/**
 * The memory conversations borrow: for what comes in, what waits for its acknowledgement, and the datagram that is
 * being written. A listener gives one pool to all its conversations, so that an idle one holds no buffer at all.
 */
export class SegmentPool {
  /**
   * For what waits for its acknowledgement, and for datagrams that are read or written. The latter come back at once
   * as a rule: apart from the others, one block serves them all, which the processor still holds.
   */
  readonly #kept: readonly FreeBlocks[] = freeBlocksOfAllSizes()
  readonly #passing: readonly FreeBlocks[] = freeBlocksOfAllSizes()
  readonly #maxFreeBytes: number
  #freeBytes = 0

  /**
   * @param options.maxFreeBytes - Bytes kept for later use. Beyond it, what lay unused for longest is left to the
   *   garbage collector. 16 MiB when not given.
   */
  constructor(options: { readonly maxFreeBytes?: number } = {}) {
    const { maxFreeBytes = 16 * 1024 * 1024 } = options
    if (!Number.isSafeInteger(maxFreeBytes) || maxFreeBytes < 0)
      throw new RangeError(`maxFreeBytes is a whole number from 0, not ${maxFreeBytes}`)
    this.#maxFreeBytes = maxFreeBytes
  }

  /** Bytes that lie free in this pool. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A block for what is kept for a while. @internal */
  take(byteLength: number): Block {
    return this.#takeOf(this.#kept[classOf(byteLength)]!)
  }

  /** A block for a datagram that is read or written. @internal */
  takePassing(byteLength: number): Block {
    return this.#takeOf(this.#passing[classOf(byteLength)]!)
  }

  /** @internal */
  give(block: Block): void {
    // Not asked of its bytes, which the processor may have let go of long ago.
    const { home } = block
    const { byteLength } = home
    // What is given back was in use just now; what others needed before is worth less.
    if (this.#freeBytes + byteLength > this.#maxFreeBytes) {
      for (const blocks of [...this.#kept, ...this.#passing]) this.#freeBytes -= blocks.trim()
      if (this.#freeBytes + byteLength > this.#maxFreeBytes) return
    }
    this.#freeBytes += byteLength
    home.give(block)
  }

  /** One segment less needs the block; true when it was the last, and the block is given back. @internal */
  release(block: Block): boolean {
    block.references -= 1
    if (block.references > 0) return false
    this.give(block)
    return true
  }

  #takeOf(blocks: FreeBlocks): Block {
    const block = blocks.take()
    if (block === undefined) return new Block(blocks)
    this.#freeBytes -= blocks.byteLength
    return block
  }
}

const freeBlocksOfAllSizes = (): readonly FreeBlocks[] =>
  SIZES.map((byteLength) => new FreeBlocks(byteLength))

function classOf(byteLength: number): number {
  if (byteLength <= SMALL_BYTES) return 0
  if (byteLength <= DATAGRAM_BYTES) return 1
  return 2 + 32 - Math.clz32(byteLength - 1) - LARGE_BITS
}
