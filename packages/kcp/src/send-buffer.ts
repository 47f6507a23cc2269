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

const FIRST_SEGMENTS = 8

/**
 * Segments from the oldest unacknowledged to the newest queued: [una, nxt) are in flight (the original's
 * `snd_buf`), [nxt, end) wait (`snd_queue`). Numbering a segment is `nxt += 1`, nothing moves. Payloads lie in
 * one byte ring in the same order, so freeing them is nothing either.
 */
export class SendBuffer {
  una: number
  nxt: number
  end: number
  /** Payload bytes not yet acknowledged. */
  bytes = 0
  records: Int32Array = new Int32Array(FIRST_SEGMENTS << RECORD_BITS)
  mask: number = FIRST_SEGMENTS - 1
  /** The ring, borrowed while there is a payload. */
  block: Block | undefined
  readonly #pool: SegmentPool
  #head = 0

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
    if (serialDiff(this.end, this.una) > this.mask) this.#growRecords()
    const position = this.#reserve(length)
    copyIn(source, offset, length, this.block!, position)
    const record = this.at(this.end)
    this.records[record + OFFSET] = position
    this.records[record + LENGTH] = length
    this.records[record + FRG] = frg
    this.records[record + XMIT] = 0
    this.records[record + FASTACK] = 0
    this.#head = position + length
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
    const last = this.at((this.end - 1) | 0)
    const had = this.records[last + LENGTH]!
    let position = this.records[last + OFFSET]!
    // The segment lies just before the head: taking it back and reserving the sum keeps it where it is, or moves it whole.
    this.#head = position
    this.end = (this.end - 1) | 0
    const from = this.block!
    const to = this.#reserve(had + length)
    this.end = (this.end + 1) | 0
    if (this.block !== from) copyBlock(from, position, had, this.block!, to)
    else if (to !== position) from.bytes.copyWithin(to, position, position + had)
    position = to
    copyIn(source, offset, length, this.block!, position + had)
    this.records[last + OFFSET] = position
    this.records[last + LENGTH] = had + length
    this.#head = position + had + length
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
        bytes: this.block!.bytes.slice(offset, offset + length),
      })
      this.bytes -= length
    }
    if (taken.length > 0) this.#head = this.records[this.at(this.nxt) + OFFSET]!
    this.end = this.nxt
    return taken
  }

  /** Gives the memory back when nothing needs it. */
  giveBack(): void {
    if (this.una !== this.end || this.block === undefined) return
    this.#pool.give(this.block)
    this.block = undefined
    this.#head = 0
  }

  /** Forgets all segments. */
  clear(): void {
    this.una = this.end
    this.nxt = this.end
    this.bytes = 0
    this.giveBack()
  }

  /** Finds `length` bytes in one piece. The head never comes up to the tail from behind, so equal ones mean empty. */
  #reserve(length: number): number {
    this.block ??= this.#pool.take(length + 1)
    const empty = this.una === this.end
    const head = empty ? 0 : this.#head
    const tail = empty ? 0 : this.records[this.at(this.una) + OFFSET]!
    if (head >= tail) {
      if (head + length <= this.block.bytes.length) return head
      if (length < tail) return 0
    } else if (head + length < tail) return head
    this.#relocate(length)
    return this.#head
  }

  /** Moves every payload to a larger block, packed from its start. */
  #relocate(extra: number): void {
    const old = this.block!
    let needed = extra + 1
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0)
      needed += Math.max(0, this.records[this.at(sn) + LENGTH]!)
    // A quarter more than is needed, as one that is just full would move again soon; more would only spread it over the cache.
    const block = this.#pool.take(needed + (needed >> 2))
    let position = 0
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0) {
      const record = this.at(sn)
      const offset = this.records[record + OFFSET]!
      const length = Math.max(0, this.records[record + LENGTH]!)
      copyBlock(old, offset, length, block, position)
      this.records[record + OFFSET] = position
      position += length
    }
    this.block = block
    this.#head = position
    this.#pool.give(old)
  }

  #growRecords(): void {
    const old = this.records
    const oldMask = this.mask
    this.mask = (oldMask << 1) | 1
    this.records = new Int32Array((this.mask + 1) << RECORD_BITS)
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0) {
      const from = (sn & oldMask) << RECORD_BITS
      this.records.set(old.subarray(from, from + (1 << RECORD_BITS)), this.at(sn))
    }
  }
}
