import { copyBlock, copyIn } from './copy.ts'
import type { Block, SegmentPool } from './segment-pool.ts'
import { serialDiff } from './serial.ts'

// One record of eight numbers a segment, at (sn & mask) * 8.
export const OFFSET = 0
/** Payload bytes, or ACKED. */
export const LENGTH = 1
export const FRG = 2
export const TS = 3
export const RESENDTS = 4
export const RTO = 5
export const FASTACK = 6
export const XMIT = 7
export const RECORD_BITS = 3
export const ACKED = -1

/** Their records take the 64 bytes up to which V8 keeps an array in the heap: no buffer of its own to fetch for each session. */
const FIRST_SEGMENTS = 2
/** A block is lent again when all that lies in it is acknowledged: a larger one would be held for longer. */
export const MAX_SHARED_BYTES = 65_536

/**
 * Segments from the oldest unacknowledged to the newest queued: [una, nxt) are in flight (the original's
 * `snd_buf`), [nxt, end) wait (`snd_queue`). Numbering a segment is `nxt += 1`, nothing moves. Payloads lie one
 * behind the other in blocks, each given back when its last segment is acknowledged.
 */
export class SendBuffer {
  una: number
  nxt: number
  end: number
  /** Payload bytes not yet acknowledged. */
  bytes = 0
  records: Int32Array = new Int32Array(FIRST_SEGMENTS << RECORD_BITS)
  /** Where a segment's payload lies, at sn & mask. */
  blocks: (Block | undefined)[] = Array.from({ length: FIRST_SEGMENTS }, () => undefined)
  mask: number = FIRST_SEGMENTS - 1
  readonly #pool: SegmentPool
  /** The block of the newest payload, if it is still lent. */
  #newest: Block | undefined
  /** From here on it is free. */
  #free = 0

  constructor(pool: SegmentPool, initialSn: number) {
    this.#pool = pool
    this.una = initialSn
    this.nxt = initialSn
    this.end = initialSn
  }

  get inFlight(): number {
    return serialDiff(this.nxt, this.una)
  }

  get queued(): number {
    return serialDiff(this.end, this.nxt)
  }

  /** The index of a segment's record. */
  at(sn: number): number {
    return (sn & this.mask) << RECORD_BITS
  }

  /** Queues one segment with a copy of its payload. */
  push(source: Uint8Array, offset: number, length: number, frg: number): void {
    if (serialDiff(this.end, this.una) > this.mask) this.#grow()
    const block = this.#blockFor(length)
    const start = this.#free
    copyIn(source, offset, length, block, start)
    this.blocks[this.end & this.mask] = block
    block.references += 1
    const record = this.at(this.end)
    this.records[record + OFFSET] = start
    this.records[record + LENGTH] = length
    this.records[record + FRG] = frg
    this.records[record + XMIT] = 0
    this.records[record + FASTACK] = 0
    this.#free = start + length
    this.bytes += length
    this.end = (this.end + 1) | 0
  }

  /** Free payload bytes of the newest queued segment, up to `mss`. */
  room(mss: number): number {
    if (this.end === this.nxt) return 0
    return Math.max(0, mss - this.records[this.at((this.end - 1) | 0) + LENGTH]!)
  }

  /** Adds to the newest queued segment. */
  extend(source: Uint8Array, offset: number, length: number): void {
    const newest = (this.end - 1) | 0
    const index = newest & this.mask
    const record = this.at(newest)
    const had = this.records[record + LENGTH]!
    let block = this.blocks[index]!
    let start = this.records[record + OFFSET]!
    // Behind it its block is free. When that is not enough, it goes to another block whole.
    if (start + had + length > block.bytes.length) {
      const larger = this.#takeBlock(had + length)
      copyBlock(block, start, had, larger, 0)
      this.#pool.release(block)
      block = larger
      start = 0
      this.blocks[index] = block
      block.references += 1
      this.records[record + OFFSET] = start
    }
    copyIn(source, offset, length, block, start + had)
    this.records[record + LENGTH] = had + length
    this.#free = start + had + length
    this.bytes += length
  }

  /** Marks one segment in flight as acknowledged; false when it was already, or is not in flight. */
  ack(sn: number): boolean {
    if (serialDiff(sn, this.una) < 0 || serialDiff(sn, this.nxt) >= 0) return false
    const record = this.at(sn)
    const length = this.records[record + LENGTH]!
    if (length === ACKED) return false
    this.records[record + LENGTH] = ACKED
    this.bytes -= length
    this.#drop(sn)
    return true
  }

  /** Forgets everything before `una`, and acknowledged segments at the front; true when that was anything. */
  shrink(una: number): boolean {
    const before = this.una
    const { records } = this
    let sn = before
    while (sn !== this.nxt) {
      const length = records[this.at(sn) + LENGTH]!
      if (length !== ACKED) {
        if (serialDiff(una, sn) <= 0) break
        this.bytes -= length
        this.#drop(sn)
      }
      sn = (sn + 1) | 0
    }
    this.una = sn
    return sn !== before
  }

  /** Takes the queued segments back; the caller queues their bytes anew. */
  unqueue(): { frg: number; bytes: Uint8Array }[] {
    const taken: { frg: number; bytes: Uint8Array }[] = []
    for (let sn = this.nxt; sn !== this.end; sn = (sn + 1) | 0) {
      const record = this.at(sn)
      const offset = this.records[record + OFFSET]!
      const length = this.records[record + LENGTH]!
      taken.push({
        frg: this.records[record + FRG]!,
        bytes: this.blocks[sn & this.mask]!.bytes.slice(offset, offset + length),
      })
      this.bytes -= length
      this.#drop(sn)
    }
    this.end = this.nxt
    return taken
  }

  /** Forgets all segments. */
  clear(): void {
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0)
      if (this.records[this.at(sn) + LENGTH] !== ACKED) this.#drop(sn)
    this.una = this.end
    this.nxt = this.end
    this.bytes = 0
  }

  /** A block with `length` bytes free from `#free` on. */
  #blockFor(length: number): Block {
    const newest = this.#newest
    if (newest !== undefined && this.#free + length <= newest.bytes.length) return newest
    return this.#takeBlock(length)
  }

  #takeBlock(length: number): Block {
    // As much again as waits already: few blocks where much waits, a small one where little does.
    const block = this.#pool.take(Math.max(length, Math.min(this.bytes, MAX_SHARED_BYTES)))
    this.#newest = block
    this.#free = 0
    return block
  }

  #drop(sn: number): void {
    const index = sn & this.mask
    const block = this.blocks[index]!
    this.blocks[index] = undefined
    if (this.#pool.release(block) && block === this.#newest) this.#newest = undefined
  }

  #grow(): void {
    const { records, blocks, mask } = this
    this.mask = (mask << 1) | 1
    this.records = new Int32Array((this.mask + 1) << RECORD_BITS)
    this.blocks = Array.from({ length: this.mask + 1 }, () => undefined)
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0) {
      const from = (sn & mask) << RECORD_BITS
      this.records.set(records.subarray(from, from + (1 << RECORD_BITS)), this.at(sn))
      this.blocks[sn & this.mask] = blocks[sn & mask]
    }
  }
}
