import { serialDiff } from './serial.ts'

/** 64 bytes, as in the send buffer. */
const FIRST_CAPACITY = 8
/** Of conversations in which nothing has come. */
const NO_PAIRS = new Int32Array(0)

/** Acknowledgements that the next flush will send: pairs of `sn` and the `ts` to echo, in order of arrival. */
export class AckList {
  count = 0
  #pairs: Int32Array = NO_PAIRS

  sn(index: number): number {
    return this.#pairs[index << 1]!
  }

  ts(index: number): number {
    return this.#pairs[(index << 1) + 1]!
  }

  /**
   * Adds one. When `limit` are waiting, those that `rcvNxt` covers go first and then the oldest half: a lost
   * acknowledgement only costs a resend.
   */
  push(sn: number, ts: number, rcvNxt: number, limit: number): void {
    if (this.count >= limit) this.#thin(rcvNxt)
    if (this.count << 1 === this.#pairs.length) this.#grow()
    const at = this.count << 1
    this.#pairs[at] = sn
    this.#pairs[at + 1] = ts
    this.count += 1
  }

  #grow(): void {
    const larger = new Int32Array(Math.max(FIRST_CAPACITY, this.count << 1) << 1)
    larger.set(this.#pairs)
    this.#pairs = larger
  }

  #thin(rcvNxt: number): void {
    const pairs = this.#pairs
    let kept = 0
    for (let index = 0; index < this.count; index += 1) {
      const sn = pairs[index << 1]!
      if (serialDiff(sn, rcvNxt) < 0) continue
      pairs[kept << 1] = sn
      pairs[(kept << 1) + 1] = pairs[(index << 1) + 1]!
      kept += 1
    }
    if (kept > this.count >> 1) {
      const dropped = kept >> 1
      pairs.copyWithin(0, dropped << 1, kept << 1)
      kept -= dropped
    }
    this.count = kept
  }
}
