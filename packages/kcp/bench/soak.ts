import { type BenchCheck, type BenchRow, bytesInUse, check } from '../../../bench.base.ts'
import { Kcp } from '../src/index.ts'
import { simulate } from '../src/simulator.ts'
import { fuzzCore } from '../test/support/fuzz.ts'
import { STARTS } from '../test/support/wire.ts'

const SEEDS = 20
const MESSAGES = 50_000

/** A million messages over links that lose, double, reorder, corrupt and rebind: every one exact and in order. */
export function soak(rows: BenchRow[], checks: BenchCheck[]): void {
  const started = performance.now()
  let exact = 0
  let corrupted = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const start = STARTS[seed % STARTS.length]!
    const report = simulate({
      startMs: start.ms,
      link: {
        seed,
        forth: {
          delayMs: 20,
          jitter: { kind: 'pareto', ms: 20, chance: 0.1 },
          loss: (seed % 4) * 0.1,
          duplicate: 0.05,
          corrupt: 0.05,
          burst: { goodMs: 3000, badMs: 80 },
        },
        rebindsMs: Array.from({ length: 100 }, (_, index) => 700 * index + 333),
      },
      checksum: true,
      workload: { messages: MESSAGES, intervalMs: 4, bytes: (index) => (index * 37) % 1500 },
      make: (_side, output, nowMs) =>
        new Kcp(9, output, {
          nowMs,
          initialSn: start.sn,
          nodelay: 1,
          interval: 10,
          resend: 2,
          nc: true,
          sndWnd: 256,
          rcvWnd: 256,
          deadLinkMs: 0,
        }),
    })
    if (report.isExact) exact += report.delivered
    corrupted += report.checksumFailures
  }
  rows.push({
    case: `soak of ${SEEDS} links, ${corrupted} datagrams corrupted`,
    contender: '@rts/kcp',
    value: exact,
    unit: 'messages exact and in order',
    ratio: 1,
  })
  checks.push(check('messages exact and in order', exact, `>= ${SEEDS * MESSAGES}`))
  console.log(`soak: ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

/** Ten million mutated datagrams: none throws, none that is refused changes anything, nothing grows. */
export function fuzz(rows: BenchRow[], checks: BenchCheck[]): void {
  const datagrams = 10_000_000
  const before = bytesInUse()
  let applied = 0
  for (const [seed, start] of STARTS.entries())
    applied += fuzzCore({
      start,
      seed: 100 + seed,
      datagrams: Math.ceil(datagrams / STARTS.length),
    }).applied
  const growth = (bytesInUse() - before) / 2 ** 20
  rows.push({
    case: `10^7 mutated datagrams, ${applied} of them applied`,
    contender: '@rts/kcp',
    value: growth,
    unit: 'MiB grown',
    ratio: 1,
  })
  checks.push(check('growth over 10^7 mutated datagrams, MiB', Math.max(0, growth), '<= 4'))
}
