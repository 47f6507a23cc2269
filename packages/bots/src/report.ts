import type { Histogram } from './histogram.ts'

export interface LatencySummary {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** What a run of bots saw, in plain values: it can be printed, stored or sent. */
export interface BotReport {
  readonly bots: number
  /** Bots whose scenario ran to its end. */
  readonly finished: number
  /** Bots whose scenario threw. */
  readonly failed: number
  readonly durationMs: number
  readonly latencies: Readonly<Record<string, LatencySummary>>
  readonly counters: Readonly<Record<string, number>>
  /** Failed checks and thrown errors, by what they say, with how often. */
  readonly errors: Readonly<Record<string, number>>
}

export function summarize(histogram: Histogram): LatencySummary {
  return {
    count: histogram.count,
    meanMs: histogram.meanMs,
    p50Ms: histogram.percentile(0.5),
    p95Ms: histogram.percentile(0.95),
    p99Ms: histogram.percentile(0.99),
    maxMs: histogram.maxMs,
  }
}

const ms = (value: number): string => value.toFixed(1).padStart(8)

/** The report as lines of text for a terminal. */
export function formatReport(report: BotReport): string {
  const lines = [
    `${report.bots} bots, ${(report.durationMs / 1000).toFixed(1)} s: ${report.finished} finished, ${report.failed} failed`,
  ]
  const names = Object.keys(report.latencies)
  if (names.length > 0) {
    const width = Math.max(...names.map((name) => name.length), 'latency, ms'.length)
    lines.push(`${'latency, ms'.padEnd(width)}    count      p50      p95      p99      max`)
    for (const name of names) {
      const row = report.latencies[name]!
      lines.push(
        `${name.padEnd(width)} ${String(row.count).padStart(8)} ${ms(row.p50Ms)} ${ms(row.p95Ms)} ${ms(row.p99Ms)} ${ms(row.maxMs)}`,
      )
    }
  }
  const counters = Object.entries(report.counters)
  if (counters.length > 0)
    lines.push(counters.map(([name, value]) => `${name} ${value}`).join(', '))
  for (const [error, times] of Object.entries(report.errors)) lines.push(`! ${times} x ${error}`)
  return lines.join('\n')
}
