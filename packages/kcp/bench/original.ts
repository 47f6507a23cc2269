import { execFileSync } from 'node:child_process'
import { type BenchCheck, check } from '../../../bench.base.ts'
import { type Percentiles, percentiles } from '../src/simulator.ts'
import { AS_ORIGINAL, FAST, type Measured, MESSAGES, measure, off, SEEDS } from './links.ts'
import { originalProgram } from './original-program.ts'

const LOSSES = [0, 0.05, 0.1, 0.2, 0.3]
const SHOWN = ['p50', 'p95', 'p99', 'p999'] as const satisfies readonly (keyof Percentiles)[]

/** What `ikcp-link.c` over the original makes of one link. */
function runOriginal(
  program: string,
  seed: number,
  loss: number,
): { samples: number[]; bytes: number } {
  const output = execFileSync(program, [`${seed}`, `${loss}`, `${MESSAGES}`], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  const lines = output.trimEnd().split('\n')
  return { samples: lines.slice(0, -1).map(Number), bytes: Number(lines.at(-1)!.split(' ')[0]) }
}

function measureOriginal(program: string, loss: number): Measured {
  const samples: number[] = []
  const runs: string[] = []
  let bytes = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = runOriginal(program, seed, loss)
    for (const sample of run.samples) samples.push(sample)
    runs.push(`${run.bytes} ${run.samples.join()}`)
    bytes += run.bytes
  }
  return { ...percentiles(samples), wire: bytes / (SEEDS * MESSAGES * 100), runs }
}

/**
 * The C original beside `Kcp` on the very same links: as the original, where every message of every run should take the same
 * time, and as it is. The original comes as the program `ikcp-link`.
 */
export function original(checks: BenchCheck[]): void {
  const program = originalProgram('ikcp-link')
  if (program === undefined) return
  const table: Record<string, unknown>[] = []
  let sameRuns = 0
  for (const loss of LOSSES) {
    const theirs = measureOriginal(program, loss)
    const contenders = {
      'ikcp.c': theirs,
      'Kcp as the original': measure({
        loss,
        options: { ...FAST, ...AS_ORIGINAL },
        flush: 'always',
      }),
      Kcp: measure({ loss, options: FAST, flush: 'event' }),
    }
    for (const [name, measured] of Object.entries(contenders)) {
      const same = measured.runs.filter((run, index) => run === theirs.runs[index]).length
      if (measured === contenders['Kcp as the original']) sameRuns += same
      const { mean, p50, p95, p99, p999, max, wire } = measured
      table.push({
        ...{ loss: `${loss * 100} %`, contender: name, mean: mean.toFixed(2), p50, p95, p99, p999 },
        ...{ max, wire: wire.toFixed(4), 'same runs': `${same} of ${SEEDS}` },
      })
    }
    const ours = contenders['Kcp as the original']
    const worst = Math.max(
      ...SHOWN.map((key) => off(ours[key], theirs[key])),
      off(ours.wire, theirs.wire),
    )
    checks.push(
      check(`loss ${loss * 100} %: as the original, % off it on the same links`, worst, '<= 2'),
    )
  }
  checks.push(
    check(
      'as the original, runs in which every message took the same time',
      sameRuns,
      `>= ${LOSSES.length * SEEDS}`,
    ),
  )
  console.log(
    `\nthe original on the same links, latency in ms, ${SEEDS} seeds x ${MESSAGES} messages`,
  )
  console.table(table)
}
