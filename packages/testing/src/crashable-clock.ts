import type { Clock } from './stepped-clock.ts'

/**
 * A clock that can be taken away: after `crash()` nothing that was scheduled runs, and nothing new is. Give each node its
 * own, reset its sockets at the same moment, and what is left of the node is what `kill -9` leaves: nothing said, nothing saved.
 */
export class CrashableClock implements Clock {
  readonly #clock: Clock
  readonly #timers = new Set<() => void>()
  #crashed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  wall(): number {
    return this.#clock.wall()
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    if (this.#crashed) return () => {}
    const cancel = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(cancel)
      fn()
    })
    this.#timers.add(cancel)
    return () => {
      this.#timers.delete(cancel)
      cancel()
    }
  }

  defer(fn: () => void): void {
    this.#clock.defer(() => {
      if (!this.#crashed) fn()
    })
  }

  crash(): void {
    this.#crashed = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }
}
