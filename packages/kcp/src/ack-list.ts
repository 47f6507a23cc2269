import { serialDiff } from './serial.ts'

/**
 * Acknowledgements that the next flush will send: pairs of `sn` and the `ts` to echo, in order of arrival. A plain
 * array: most conversations hold one pair, and a typed array has two more objects to fetch before its first number.
 */
export class AckList {
  count = 0
  readonly #pairs: number[] = []

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
    const at = this.count << 1
    this.#pairs[at] = sn
    this.#pairs[at + 1] = ts
    this.count += 1
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
