import type { Clock } from './clock.ts'
import type { IncomingCallInfo, Interceptor } from './interceptors.ts'

/** What one method served since its node was made. */
export interface MethodStats {
  /** Calls and notifications that were begun. */
  readonly calls: number
  /** Those that ended with an error, of the handler or of an interceptor inside. */
  readonly failed: number
  /** Those that have not ended. */
  readonly running: number
  /** Milliseconds from the beginning to the result, of all that ended together and of the longest. */
  readonly totalMs: number
  readonly maxMs: number
}

type Counts = { -readonly [K in keyof MethodStats]: MethodStats[K] }

/** Counts and times what a node serves, by `service.method`; entities by `entity.method`. */
export class MethodCounts implements Interceptor {
  readonly #clock: Clock
  readonly #methods = new Map<string, Counts>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  incoming({ service, method }: IncomingCallInfo, next: () => unknown): unknown {
    const counts = this.#of(`${service || 'entity'}.${method}`)
    const startedAt = this.#clock.now()
    counts.calls += 1
    counts.running += 1
    const over = (hasFailed: boolean): void => {
      const elapsed = this.#clock.now() - startedAt
      counts.running -= 1
      counts.totalMs += elapsed
      counts.maxMs = Math.max(counts.maxMs, elapsed)
      if (hasFailed) counts.failed += 1
    }
    let result: unknown
    try {
      result = next()
    } catch (error) {
      over(true)
      throw error
    }
    if (!isThenable(result)) {
      over(false)
      return result
    }
    return result.then(
      (value) => {
        over(false)
        return value
      },
      (error: unknown) => {
        over(true)
        throw error
      },
    )
  }

  read(): Readonly<Record<string, MethodStats>> {
    return Object.fromEntries([...this.#methods].map(([name, counts]) => [name, { ...counts }]))
  }

  #of(name: string): Counts {
    let counts = this.#methods.get(name)
    if (counts === undefined) {
      counts = { calls: 0, failed: 0, running: 0, totalMs: 0, maxMs: 0 }
      this.#methods.set(name, counts)
    }
    return counts
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
