import type { BotReport, LatencySummary } from './report.ts'

/** What a run must show to pass. */
export interface Expectations {
  /** Bots that may fail. @defaultValue 0 */
  readonly failed?: number
  /** Errors and failed checks that may be seen, all together. @defaultValue 0 */
  readonly errors?: number
  /** Upper bounds by latency name, in ms; a latency that was never measured misses its bound. */
  readonly latencies?: Readonly<Record<string, Partial<Omit<LatencySummary, 'count'>>>>
  /** Lower bounds by counter name. */
  readonly atLeast?: Readonly<Record<string, number>>
  /** Upper bounds by counter name. */
  readonly atMost?: Readonly<Record<string, number>>
}

export interface Verdict {
  readonly passed: boolean
  /** One sentence for each expectation that was missed. */
  readonly misses: readonly string[]
}

export function judge(report: BotReport, expectations: Expectations = {}): Verdict {
  const misses: string[] = []
  const failed = expectations.failed ?? 0
  if (report.failed > failed) misses.push(`${report.failed} bots failed, at most ${failed} may`)
  const errors = Object.values(report.errors).reduce((sum, times) => sum + times, 0)
  const allowed = expectations.errors ?? 0
  if (errors > allowed) misses.push(`${errors} errors, at most ${allowed} may be`)
  for (const [name, bounds] of Object.entries(expectations.latencies ?? {})) {
    const summary = report.latencies[name]
    if (summary === undefined) misses.push(`"${name}" was never measured`)
    else misses.push(...latencyMisses(name, summary, bounds))
  }
  for (const [name, bound] of Object.entries(expectations.atLeast ?? {})) {
    const value = report.counters[name] ?? 0
    if (value < bound) misses.push(`${name} is ${value}, at least ${bound} is wanted`)
  }
  for (const [name, bound] of Object.entries(expectations.atMost ?? {})) {
    const value = report.counters[name] ?? 0
    if (value > bound) misses.push(`${name} is ${value}, at most ${bound} is allowed`)
  }
  return { passed: misses.length === 0, misses }
}

function latencyMisses(
  name: string,
  summary: LatencySummary,
  bounds: Partial<Omit<LatencySummary, 'count'>>,
): string[] {
  const keys = ['meanMs', 'p50Ms', 'p95Ms', 'p99Ms', 'maxMs'] as const
  return keys.flatMap((key) => {
    const bound = bounds[key]
    if (bound === undefined || summary[key] <= bound) return []
    return [
      `${name} ${key.slice(0, -2)} is ${summary[key].toFixed(1)} ms, at most ${bound} ms is wanted`,
    ]
  })
}
