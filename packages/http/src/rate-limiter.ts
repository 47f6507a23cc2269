export interface RateLimit {
  /** How many requests one client may make at once. From 1. */
  readonly burst: number
  /** How many more it earns per minute. From 1. */
  readonly perMinute: number
}

/** So many clients are remembered; the ones not seen for longest are forgotten first. */
const MAX_CLIENTS = 10_000

interface Bucket {
  readonly tokens: number
  readonly atMs: number
}

/** A token bucket per client. Time comes in from outside. */
export class RateLimiter {
  readonly #burst: number
  readonly #perMs: number
  /** In the order in which they were last seen. */
  readonly #buckets = new Map<string, Bucket>()

  constructor({ burst, perMinute }: RateLimit) {
    if (!Number.isInteger(burst) || burst < 1) {
      throw new RangeError(`rateLimit.burst must be a whole number from 1, not ${burst}`)
    }
    if (!Number.isFinite(perMinute) || perMinute < 1) {
      throw new RangeError(`rateLimit.perMinute must be a number from 1, not ${perMinute}`)
    }
    this.#burst = burst
    this.#perMs = perMinute / 60_000
  }

  get size(): number {
    return this.#buckets.size
  }

  /** @returns 0 when the client may go on, else after how many milliseconds it may. */
  take(client: string, nowMs: number): number {
    const { tokens, atMs } = this.#buckets.get(client) ?? { tokens: this.#burst, atMs: nowMs }
    const earned = Math.max(0, nowMs - atMs) * this.#perMs
    const available = Math.min(this.#burst, tokens + earned)
    const isAllowed = available >= 1
    this.#buckets.delete(client)
    this.#buckets.set(client, { tokens: isAllowed ? available - 1 : available, atMs: nowMs })
    if (this.#buckets.size > MAX_CLIENTS) this.#forgetOne()
    return isAllowed ? 0 : Math.max(1, Math.ceil((1 - available) / this.#perMs))
  }

  #forgetOne(): void {
    for (const client of this.#buckets.keys()) {
      this.#buckets.delete(client)
      return
    }
  }
}
