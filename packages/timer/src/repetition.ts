import type { EveryOptions } from './options.ts'

/** The course of a repeating timer. */
export class Repetition {
  readonly intervalMs: number
  readonly isFixedDelay: boolean
  readonly mayOverlap: boolean
  readonly catchesUp: boolean
  /** Calls still to be made, the next one included. */
  remaining: number
  /** Calls whose promise is not settled. */
  running = 0
  readonly #firstMs: number
  /** Due times behind the next one, those that were left out included. */
  #past = 0

  constructor(intervalMs: number, firstMs: number, options: EveryOptions) {
    this.intervalMs = intervalMs
    this.isFixedDelay = options.mode === 'fixed-delay'
    this.mayOverlap = options.overlap === 'allow'
    this.catchesUp = options.missed === 'catch-up'
    this.remaining = options.times ?? Infinity
    this.#firstMs = firstMs
  }

  /** When the next call is due: a multiple of the interval after the first, so that nothing adds up to a drift. */
  get dueMs(): number {
    return this.#firstMs + this.#past * this.intervalMs
  }

  /** Goes on to the next due time; returns how many overdue ones it left out. */
  advance(nowMs: number): number {
    this.#past += 1
    if (this.catchesUp || this.dueMs > nowMs) return 0
    const before = this.#past
    this.#past = Math.floor((nowMs - this.#firstMs) / this.intervalMs) + 1
    return this.#past - before
  }
}
