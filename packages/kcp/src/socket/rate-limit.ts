/** So many per second, and after a pause a burst of them at once. */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor(perSecond: number, nowMs: number, burst: number = perSecond) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** Whether there is none to take now without touching `kept` of them. */
  isSpent(nowMs: number, kept = 0): boolean {
    if (nowMs !== this.#atMs) {
      const gained = ((nowMs - this.#atMs) * this.#perSecond) / 1000
      this.#tokens = Math.min(this.#burst, this.#tokens + gained)
      this.#atMs = nowMs
    }
    return this.#tokens < 1 + kept
  }

  /** Takes one when there is one. */
  take(nowMs: number): boolean {
    if (this.isSpent(nowMs)) return false
    this.#tokens -= 1
    return true
  }
}

/** A `RateLimit` for each of many keys; only the most recent keys are remembered. */
export class RateLimits {
  readonly #perSecond: number
  readonly #maxKeys: number
  readonly #limits = new Map<string, RateLimit>()

  constructor(perSecond: number, maxKeys: number) {
    this.#perSecond = perSecond
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#limits.size
  }

  take(key: string, nowMs: number): boolean {
    let limit = this.#limits.get(key)
    if (limit === undefined) {
      if (this.#limits.size >= this.#maxKeys) {
        const [oldest] = this.#limits.keys()
        this.#limits.delete(oldest!)
      }
      limit = new RateLimit(this.#perSecond, nowMs)
    } else {
      this.#limits.delete(key)
    }
    this.#limits.set(key, limit)
    return limit.take(nowMs)
  }
}
