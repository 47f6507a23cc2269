import { unitFrom, type Random } from './random.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly maxMs: number
  readonly random: Random
  /**
   * Milliseconds over which a whole fleet is to come back; what is below `maxMs` changes nothing. A large fleet
   * tries once at random within them, then about once in each such time, which makes an even stream of them all.
   * @defaultValue 0
   */
  readonly spreadMs?: () => number
}

/**
 * Delays between tries: full jitter over a doubling ceiling, so that many processes that lost the same
 * server do not come back in step. It never gives up. The first try of all is soon: perhaps only one link broke.
 */
export class Backoff {
  readonly #options: BackoffOptions
  #attempt = 0
  #isSpread = false

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  nextMs(): number {
    const { baseMs, maxMs, random, spreadMs } = this.#options
    const spread = spreadMs?.() ?? 0
    if (spread > maxMs && this.#attempt > 0) {
      const unit = unitFrom(random)
      const isFirst = !this.#isSpread
      this.#isSpread = true
      return spread * (isFirst ? unit : 0.9 + unit * 0.2)
    }
    const ceiling = Math.min(maxMs, baseMs * 2 ** this.#attempt)
    if (ceiling < maxMs) this.#attempt++
    return unitFrom(random) * ceiling
  }

  reset(): void {
    this.#attempt = 0
    this.#isSpread = false
  }
}
