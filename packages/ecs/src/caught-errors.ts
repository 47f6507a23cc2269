import type { ErrorContext, WorldOptions } from './options.ts'

/** Errors of systems and hooks: told to `onError`, or kept until the call that made them run can throw them. */
export class CaughtErrors {
  readonly #onError: WorldOptions['onError']
  #kept: unknown[] = []
  #count = 0

  constructor(onError: WorldOptions['onError']) {
    this.#onError = onError
  }

  /** How many there ever were. */
  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0
  }

  report(error: unknown, context: ErrorContext): void {
    this.#count += 1
    try {
      if (this.#onError === undefined) this.#kept.push(error)
      else this.#onError(error, context)
    } catch (second) {
      this.#kept.push(second)
    }
  }

  /** What to throw for everything kept, and for `first` if given. */
  take(...first: readonly unknown[]): unknown {
    const all = [...first, ...this.#kept]
    this.#kept = []
    if (all.length === 1) return all[0]
    const text = all[0] instanceof Error ? all[0].message : String(all[0])
    return new AggregateError(all, `${text} (and ${all.length - 1} more)`)
  }
}
