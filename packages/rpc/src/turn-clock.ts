import type { Clock } from './clock.ts'

/** When the messages of this turn of the event loop arrived: the clock is read once for all of them. */
export class TurnClock {
  readonly #clock: Clock
  readonly #end = (): void => {
    this.#isKnown = false
  }
  #isKnown = false
  #now = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    if (this.#isKnown) return this.#now
    this.#isKnown = true
    this.#now = this.#clock.now()
    this.#clock.defer(this.#end)
    return this.#now
  }
}
