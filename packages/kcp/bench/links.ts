import { type BenchCheck, type BenchRow, check } from '../../../bench.base.ts'
import { Kcp, type KcpOptions } from '../src/index.ts'
import { type Percentiles, percentiles, simulate } from '../src/simulator.ts'

export const MESSAGES = 20_000
export const SEEDS = 20

export const FAST: KcpOptions = { nodelay: 1, interval: 10, resend: 2, nc: true }
/** Takes back what differs from the original on purpose and can be seen here. */
export const AS_ORIGINAL: KcpOptions = { ackAll: true, laterTicksOnly: true }
const NORMAL: KcpOptions = { nodelay: 0, interval: 40, resend: 2, nc: true }
const SLOW: KcpOptions = { nodelay: 0, interval: 10, resend: 0, nc: true }

interface Link {
  readonly loss: number
  readonly options: KcpOptions
  /** `always`: with every message and datagram, even where nothing is due. */
  readonly flush: 'event' | 'grid' | 'always'
}

/** Has no way to tell whether there is anything to flush, as the original. */
class Blind extends Kcp {
  #isTouched = false

  override input(...datagram: Parameters<Kcp['input']>): number {
    this.#isTouched = true
    return super.input(...datagram)
  }

  override flush(nowMs: number): void {
    this.#isTouched = false
    super.flush(nowMs)
  }

  override nextDeadline(nowMs: number): number {
    return this.#isTouched ? nowMs : super.nextDeadline(nowMs)
  }
}

interface LinkCase extends Link {
  readonly mode: string
  /** What the C original was measured to give on such a link: p50, p95, p99 and wire bytes for a byte of payload. */
  readonly original?: readonly [p50: number, p95: number, p99: number, wire: number]
}

const CASES: readonly LinkCase[] = [
  { loss: 0, mode: 'fast, grid', options: FAST, flush: 'grid' },
  { loss: 0, mode: 'fast', options: FAST, flush: 'event', original: [34, 39, 39, 1.54] },
  { loss: 0.05, mode: 'fast', options: FAST, flush: 'event', original: [35, 112, 131, 1.68] },
  { loss: 0.1, mode: 'no fast resend', options: SLOW, flush: 'event' },
  { loss: 0.1, mode: 'normal', options: NORMAL, flush: 'event' },
  { loss: 0.1, mode: 'fast, grid', options: FAST, flush: 'grid' },
  { loss: 0.1, mode: 'fast', options: FAST, flush: 'event', original: [37, 125, 230, 1.83] },
  { loss: 0.2, mode: 'fast', options: FAST, flush: 'event', original: [54, 233, 357, 2.16] },
  { loss: 0.3, mode: 'fast', options: FAST, flush: 'event', original: [113, 369, 579, 2.59] },
]

export interface Measured extends Percentiles {
  readonly wire: number
  /** What each seed gave: bytes, and the milliseconds of each message. */
  readonly runs: readonly string[]
}

export function measure({ loss, options, flush }: Link): Measured {
  const samples: number[] = []
  const runs: string[] = []
  let bytes = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const report = simulate({
      link: { seed, forth: { delayMs: 30, jitter: { kind: 'uniform', ms: 10 }, loss } },
      workload: { messages: MESSAGES, intervalMs: 33, bytes: 100 },
      flush: flush === 'grid' ? 'grid' : 'event',
      timerMs: 10,
      make: (_side, output, nowMs) => {
        const all = { ...options, nowMs, sndWnd: 128, rcvWnd: 128, deadLinkMs: 0 }
        return flush === 'always' ? new Blind(1, output, all) : new Kcp(1, output, all)
      },
    })
    if (!report.isExact) throw new Error(`loss ${loss}, seed ${seed}: not every message arrived`)
    for (const sample of report.samples) samples.push(sample)
    runs.push(`${report.forth.bytes} ${report.samples.join()}`)
    bytes += report.wireRatio / SEEDS
  }
  return { ...percentiles(samples), wire: bytes, runs }
}

export const off = (value: number, anchor: number): number => Math.abs(value / anchor - 1) * 100

/** Latency over lossy links: 100 B each 33 ms, one way 30 to 40 ms with reordering, loss in both directions, timers of 10 ms. */
export function links(rows: BenchRow[], checks: BenchCheck[]): void {
  const table: Record<string, unknown>[] = []
  for (const link of CASES) {
    const measured = measure(link)
    const { mean, p50, p95, p99, p999, max, wire } = measured
    const name = `loss ${link.loss * 100} %, ${link.mode}`
    table.push({
      link: name,
      mean: mean.toFixed(1),
      p50,
      p95,
      p99,
      p999,
      max,
      wire: wire.toFixed(2),
    })
    rows.push({ case: name, contender: '@rts/kcp', value: p99, unit: 'ms at p99', ratio: 1 })
    if (link.original === undefined) continue
    const [a50, a95, a99, anchorWire] = link.original
    const worst = Math.max(off(p50, a50), off(p95, a95), off(p99, a99))
    checks.push(check(`${name}: percentiles, % off the original`, worst, '<= 10'))
    checks.push(check(`${name}: wire bytes, % off the original`, off(wire, anchorWire), '<= 5'))
  }
  console.log(`\nlatency in ms, ${SEEDS} seeds x ${MESSAGES} messages`)
  console.table(table)
}
