import { copyOut } from './copy.ts'
import type { Block, SegmentPool } from './segment-pool.ts'
import { serialDiff } from './serial.ts'

// One record of three numbers a segment, at (sn & mask) * 4.
const OFFSET = 0
const LENGTH = 1
const FRG = 2
const RECORD_BITS = 2
/** 64 bytes of records, as in the send buffer. */
const FIRST_SEGMENTS = 4

/**
 * Segments that have arrived: [head, nxt) are in order and wait to be received (the original's `rcv_queue`), from
 * `nxt` on there may be holes (`rcv_buf`).
 */
export class ReceiveBuffer {
  head: number
  nxt: number
  /** Last fragments among those in order: whole messages, as long as the peer numbers them well. */
  messages = 0
  /** Payload bytes held. */
  bytes = 0
  readonly #pool: SegmentPool
  #records: Int32Array = new Int32Array(FIRST_SEGMENTS << RECORD_BITS)
  #packets: (Block | undefined)[] = Array.from({ length: FIRST_SEGMENTS }, () => undefined)
  #mask: number = FIRST_SEGMENTS - 1
  /** One past the newest segment held. */
  #end: number

  constructor(pool: SegmentPool, initialSn: number) {
    this.#pool = pool
    this.head = initialSn
    this.nxt = initialSn
    this.#end = initialSn
  }

  /** Something is missing before what has come, or the window is full. */
  get hasGap(): boolean {
    return this.#end !== this.nxt
  }

  /** Segments in order. */
  get queued(): number {
    return serialDiff(this.nxt, this.head)
  }

  /** Keeps a segment that lies in `packet`; false when it is held already. `sn` is not before `nxt`. */
  store(sn: number, packet: Block, offset: number, length: number, frg: number): boolean {
    while (serialDiff(sn, this.head) > this.#mask) this.#grow()
    const index = sn & this.#mask
    if (this.#packets[index] !== undefined) return false
    this.#packets[index] = packet
    packet.references += 1
    const record = index << RECORD_BITS
    this.#records[record + OFFSET] = offset
    this.#records[record + LENGTH] = length
    this.#records[record + FRG] = frg
    this.bytes += length
    if (serialDiff(sn, this.#end) >= 0) this.#end = (sn + 1) | 0
    return true
  }

  /** Moves `nxt` over what is now in order, as long as fewer than `rcvWnd` segments wait. */
  advance(rcvWnd: number): void {
    while (serialDiff(this.nxt, this.head) < rcvWnd) {
      const index = this.nxt & this.#mask
      // Without the second test a ring full from end to end would be walked again.
      if (this.#packets[index] === undefined || this.nxt === this.#end) return
      if (this.#records[(index << RECORD_BITS) + FRG] === 0) this.messages += 1
      this.nxt = (this.nxt + 1) | 0
    }
  }

  /** Size of the first message, or -1 when it is not whole. */
  peekSize(): number {
    if (this.messages === 0) return -1
    let size = 0
    for (let sn = this.head; ; sn = (sn + 1) | 0) {
      const record = (sn & this.#mask) << RECORD_BITS
      size += this.#records[record + LENGTH]!
      if (this.#records[record + FRG] === 0) return size
    }
  }

  /** Copies the first message to `target` and forgets it; there must be one. Returns the end of the copy. */
  take(target: Uint8Array, offset: number): number {
    let end = offset
    for (;;) {
      const index = this.head & this.#mask
      const record = index << RECORD_BITS
      const packet = this.#packets[index]!
      const length = this.#records[record + LENGTH]!
      const start = this.#records[record + OFFSET]!
      copyOut(packet, start, length, target, end)
      end += length
      this.bytes -= length
      this.#drop(index, packet)
      this.head = (this.head + 1) | 0
      if (this.#records[record + FRG] === 0) {
        this.messages -= 1
        return end
      }
    }
  }

  /** Forgets all segments. */
  clear(): void {
    for (const [index, packet] of this.#packets.entries())
      if (packet !== undefined) this.#drop(index, packet)
    this.head = this.nxt
    this.#end = this.nxt
    this.messages = 0
    this.bytes = 0
  }

  #drop(index: number, packet: Block): void {
    this.#packets[index] = undefined
    this.#pool.release(packet)
  }

  #grow(): void {
    const records = this.#records
    const packets = this.#packets
    const oldMask = this.#mask
    this.#mask = (oldMask << 1) | 1
    this.#records = new Int32Array((this.#mask + 1) << RECORD_BITS)
    this.#packets = Array.from({ length: this.#mask + 1 }, () => undefined)
    for (let sn = this.head; sn !== this.#end; sn = (sn + 1) | 0) {
      const from = sn & oldMask
      const to = sn & this.#mask
      this.#packets[to] = packets[from]
      for (let field = 0; field <= FRG; field += 1)
        this.#records[(to << RECORD_BITS) + field] = records[(from << RECORD_BITS) + field]!
    }
  }
}
