const PACKET_BYTES = 2048
const PACKETS_PER_SLAB = 32
const SMALLEST_BLOCK_BITS = 12
const BLOCK_CLASSES = 20

/** A copy of one datagram that came in; the segments that are still to be received share it. */
export class Packet {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where the datagram begins in `bytes`. */
  readonly base: number
  readonly capacity: number
  /** Segments that still need the bytes. */
  references = 0

  constructor(bytes: Uint8Array, view: DataView, base: number, capacity: number) {
    this.bytes = bytes
    this.view = view
    this.base = base
    this.capacity = capacity
  }
}

/** Memory of a sender: a byte ring for what waits for its acknowledgement, and behind it room to write one datagram. */
export class Block {
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength)
    this.view = new DataView(this.bytes.buffer)
  }
}

/**
 * The memory conversations borrow: packets for what comes in, blocks for what goes out. A listener gives one
 * pool to all its conversations, so that an idle one holds no buffer at all.
 */
export class SegmentPool {
  readonly #packets: Packet[] = []
  readonly #blocks: Block[][] = Array.from({ length: BLOCK_CLASSES }, () => [])
  readonly #maxFreeBytes: number
  #freeBytes = 0

  /**
   * @param options.maxFreeBytes - Bytes kept for later use; what is given back beyond it is left to the garbage
   *   collector. 16 MiB when not given.
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

  /** @internal */
  takePacket(byteLength: number): Packet {
    if (byteLength > PACKET_BYTES) {
      const bytes = new Uint8Array(byteLength)
      return new Packet(bytes, new DataView(bytes.buffer), 0, byteLength)
    }
    if (this.#packets.length === 0) this.#addSlab()
    this.#freeBytes -= PACKET_BYTES
    return this.#packets.pop()!
  }

  /** @internal */
  givePacket(packet: Packet): void {
    if (packet.capacity !== PACKET_BYTES || this.#freeBytes >= this.#maxFreeBytes) return
    this.#freeBytes += PACKET_BYTES
    this.#packets.push(packet)
  }

  /** @internal */
  takeBlock(byteLength: number): Block {
    const bits = Math.max(SMALLEST_BLOCK_BITS, 32 - Math.clz32(byteLength - 1))
    const block = this.#blocks[bits - SMALLEST_BLOCK_BITS]!.pop()
    if (block === undefined) return new Block(2 ** bits)
    this.#freeBytes -= block.bytes.length
    return block
  }

  /** @internal */
  giveBlock(block: Block): void {
    if (this.#freeBytes + block.bytes.length > this.#maxFreeBytes) return
    this.#freeBytes += block.bytes.length
    const bits = 31 - Math.clz32(block.bytes.length)
    this.#blocks[bits - SMALLEST_BLOCK_BITS]!.push(block)
  }

  #addSlab(): void {
    const bytes = new Uint8Array(PACKETS_PER_SLAB * PACKET_BYTES)
    const view = new DataView(bytes.buffer)
    for (let base = bytes.length - PACKET_BYTES; base >= 0; base -= PACKET_BYTES)
      this.#packets.push(new Packet(bytes, view, base, PACKET_BYTES))
    this.#freeBytes += bytes.length
  }
}
