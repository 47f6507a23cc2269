import { Histogram } from './histogram.ts'
import { summarize, type LatencySummary } from './report.ts'

const MAX_DISTINCT_ERRORS = 100

/** Collects what all bots of a run measure. */
export class Recorder {
  readonly #latencies = new Map<string, Histogram>()
  readonly #counters = new Map<string, number>()
  readonly #errors = new Map<string, number>()

  record(latency: string, ms: number): void {
    let histogram = this.#latencies.get(latency)
    if (histogram === undefined) this.#latencies.set(latency, (histogram = new Histogram()))
    histogram.record(ms)
  }

  count(counter: string, by: number): void {
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + by)
  }

  error(error: unknown): void {
    const text = describe(error)
    const known = this.#errors.has(text) || this.#errors.size < MAX_DISTINCT_ERRORS
    const key = known ? text : 'other errors'
    this.#errors.set(key, (this.#errors.get(key) ?? 0) + 1)
  }

  latencies(): Record<string, LatencySummary> {
    return Object.fromEntries(
      [...this.#latencies].map(([name, histogram]) => [name, summarize(histogram)]),
    )
  }

  counters(): Record<string, number> {
    return Object.fromEntries(this.#counters)
  }

  errors(): Record<string, number> {
    return Object.fromEntries(this.#errors)
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as Error & { code?: unknown }
  return typeof code === 'string' ? `${code}: ${error.message}` : error.message
}
