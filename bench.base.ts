// What every bench shares: the machine, rounds of interleaved contenders, the report and its checks.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'

export interface BenchRow {
  readonly case: string
  readonly contender: string
  /** The median over the rounds. */
  readonly value: number
  readonly unit: string
  /** Against the first contender of the same case. */
  readonly ratio: number
  readonly range?: readonly [lowest: number, highest: number]
}

export interface BenchCheck {
  readonly id: string
  readonly value: number
  /** A bound such as `>= 8` or `<= 1.2`. */
  readonly goal: string
  readonly pass: boolean
}

export interface BenchReport {
  readonly name: string
  readonly node: string
  readonly cpu: string
  readonly rows: readonly BenchRow[]
  readonly checks: readonly BenchCheck[]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Compares a value with a bound written as `>= 8` or `<= 1.2`. */
export function check(id: string, value: number, goal: string): BenchCheck {
  const match = /^(>=|<=)\s*([\d.]+)$/.exec(goal)
  if (match === null) throw new RangeError(`a goal reads ">= 8" or "<= 1.2", not "${goal}"`)
  const bound = Number(match[2])
  return { id, value, goal, pass: match[1] === '>=' ? value >= bound : value <= bound }
}

/** Measures contenders in turn, A B C A B C, so that a drifting machine is fair to all of them. */
export async function interleave(
  name: string,
  unit: string,
  contenders: Readonly<Record<string, () => number | Promise<number>>>,
  rounds = 5,
): Promise<BenchRow[]> {
  const samples = new Map<string, number[]>(Object.keys(contenders).map((key) => [key, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [contender, measure] of Object.entries(contenders)) {
      samples.get(contender)!.push(await measure())
    }
  }
  const base = median([...samples.values()][0] ?? [1])
  return [...samples].map(([contender, values]) => ({
    case: name,
    contender,
    value: median(values),
    unit,
    ratio: median(values) / base,
    range: [Math.min(...values), Math.max(...values)],
  }))
}

/** Bytes in use after a collection, those outside the heap too. */
export function bytesInUse(): number {
  globalThis.gc?.()
  // Array buffers are swept beside the program; the next collection waits for that.
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const digits = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)

/** Prints the table, writes `--json FILE`, and with `--check` exits 1 when a check failed. */
export function report(
  name: string,
  rows: readonly BenchRow[],
  checks: readonly BenchCheck[] = [],
): void {
  const result: BenchReport = {
    name,
    node: process.version,
    cpu: `${cpus()[0]?.model ?? 'unknown'} x ${cpus().length}`,
    rows,
    checks,
  }
  console.log(`\n${name} — Node ${result.node}, ${result.cpu}`)
  console.table(
    rows.map((row) => ({
      case: row.case,
      contender: row.contender,
      median: `${digits(row.value)} ${row.unit}`,
      range: row.range === undefined ? '' : `${digits(row.range[0])} – ${digits(row.range[1])}`,
      ratio: row.ratio.toFixed(2),
    })),
  )
  for (const { id, value, goal, pass } of checks)
    console.log(`${pass ? '✓' : '✗'} ${id}: ${digits(value)} (goal ${goal})`)
  const json = process.argv.indexOf('--json')
  if (json !== -1)
    writeFileSync(process.argv[json + 1] ?? 'bench.json', `${JSON.stringify(result, null, 2)}\n`)
  if (process.argv.includes('--check') && checks.some(({ pass }) => !pass)) process.exitCode = 1
}
