/** A rate with a burst: tokens drip in at `perSecond` up to `burst`. A rate of 0 never refuses. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** Takes `count` tokens if they are there. */
  take(count: number, nowMs: number): boolean {
    if (this.waitMs(count, nowMs) > 0) return false
    this.#tokens -= count
    return true
  }

  /** Takes them in any case; the next takers wait for the debt. */
  charge(count: number, nowMs: number): void {
    this.#drip(nowMs)
    this.#tokens -= count
  }

  /** Milliseconds until `count` tokens (or a full bucket, if that is less) are there. */
  waitMs(count: number, nowMs: number): number {
    if (this.#perMs === 0) return 0
    this.#drip(nowMs)
    const missing = Math.min(count, this.#burst) - this.#tokens
    return missing <= 0 ? 0 : Math.ceil(missing / this.#perMs)
  }

  #drip(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
  }
}
