import type { Clock } from '../../src/index.ts'

/** The clock of a process that can be stopped (SIGSTOP): time goes on, and its timers run late. */
export class FreezableClock implements Clock {
  readonly #clock: Clock
  #due: (() => void)[] = []
  #isFrozen = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  now(): number {
    return this.#clock.now()
  }

  wall(): number {
    return this.#clock.wall()
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    let isCancelled = false
    const run = () => {
      if (isCancelled) return
      if (this.#isFrozen) this.#due.push(run)
      else fn()
    }
    const cancel = this.#clock.setTimer(delayMs, run)
    return () => {
      isCancelled = true
      cancel()
    }
  }

  defer(fn: () => void): void {
    this.setTimer(0, fn)
  }

  freeze(): void {
    this.#isFrozen = true
  }

  thaw(): void {
    this.#isFrozen = false
    for (const run of this.#due.splice(0)) this.#clock.defer(run)
  }
}
