import type { Clock } from './clock.ts'
import type { Recorder } from './recorder.ts'

/** One simulated player inside its scenario. */
export class Bot {
  /** 0 for the first bot of the run. */
  readonly index: number
  readonly name: string
  /** Aborts when the run ends: a scenario that plays for ever stops here. */
  readonly signal: AbortSignal
  /** A number in [0, 1) from the run's seed and this bot's index. */
  readonly random: () => number
  readonly #clock: Clock
  readonly #recorder: Recorder
  readonly #underWay: string[] = []

  constructor(
    index: number,
    options: {
      name: string
      signal: AbortSignal
      random: () => number
      clock: Clock
      recorder: Recorder
    },
  ) {
    this.index = index
    this.name = options.name
    this.signal = options.signal
    this.random = options.random
    this.#clock = options.clock
    this.#recorder = options.recorder
  }

  /** Monotonic milliseconds of the run's clock. */
  now(): number {
    return this.#clock.now()
  }

  /** Adds one duration to the latency of that name. */
  record(latency: string, ms: number): void {
    this.#recorder.record(latency, ms)
  }

  /** Runs `work` and records how long it took; a failure is not recorded, and goes on to the caller. */
  async measure<T>(latency: string, work: () => Promise<T>): Promise<T> {
    const began = this.#clock.now()
    this.#underWay.push(latency)
    try {
      const result = await work()
      this.#recorder.record(latency, this.#clock.now() - began)
      return result
    } finally {
      this.#underWay.splice(this.#underWay.indexOf(latency), 1)
    }
  }

  /** What is being measured now. */
  get underWay(): readonly string[] {
    return this.#underWay
  }

  count(counter: string, by = 1): void {
    this.#recorder.count(counter, by)
  }

  /** Counts an error with this text when `ok` is false; the scenario goes on. */
  check(ok: boolean, otherwise: string): void {
    if (!ok) this.#recorder.error(otherwise)
  }

  /** Counts an error; the scenario goes on. */
  error(error: unknown): void {
    this.#recorder.error(error)
  }

  /** Waits; ends early, without an error, when the run ends. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) return resolve()
      const done = (): void => {
        cancel()
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#clock.setTimer(ms, done)
      this.signal.addEventListener('abort', done, { once: true })
    })
  }
}
