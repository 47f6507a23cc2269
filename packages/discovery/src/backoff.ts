import { unitFrom, type Random } from './random.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly maxMs: number
  readonly random: Random
}

/**
 * Delays between tries: full jitter over a doubling ceiling, so that many processes that lost the same
 * server do not come back in step. It never gives up.
 */
export class Backoff {
  readonly #options: BackoffOptions
  #attempt = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  nextMs(): number {
    const { baseMs, maxMs, random } = this.#options
    const ceiling = Math.min(maxMs, baseMs * 2 ** this.#attempt)
    if (ceiling < maxMs) this.#attempt++
    return unitFrom(random) * ceiling
  }

  reset(): void {
    this.#attempt = 0
  }
}
