import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  type BenchCheck,
  type BenchRow,
  bytesInUse,
  check,
  interleave,
} from '../../../bench.base.ts'
import { CorePair } from './core-pair.ts'
import { originalProgram } from './original-program.ts'

const PAIR = fileURLToPath(new URL('core-pair.ts', import.meta.url))
/** Short and many, as the machine is now faster and now slower. */
const MEASURE_MS = 400
const ROUNDS = 11
const CASES = [
  { bytes: 100, window: 128, goal: '>= 0.4' },
  { bytes: 1376, window: 128, goal: '>= 0.35' },
  { bytes: 32, window: 128, goal: '>= 0.33' },
  { bytes: 1376, window: 1024, goal: '>= 0.8' },
] as const

/** Messages a second of the core alone, against the C original where that is at hand. */
export async function throughput(rows: BenchRow[], checks: BenchCheck[]): Promise<void> {
  const original = originalProgram('ikcp-pair')
  for (const { bytes, window, goal } of CASES) {
    const name = `core pair, ${bytes} B, window ${window}`
    const load = [bytes, window, MEASURE_MS].map(String)
    // Each sample has a process of its own: where its memory happens to lie decides much.
    const ours = (...more: string[]): number =>
      Number(execFileSync(process.execPath, [...process.execArgv, PAIR, ...load, ...more]))
    const contenders = {
      ...(original && { 'ikcp.c -O2': (): number => Number(execFileSync(original, load)) }),
      '@rts/kcp': (): number => ours(),
      // The original writes and reads an acknowledgement for each segment.
      '@rts/kcp, ackAll': (): number => ours('ackAll'),
    }
    const measured = await interleave(name, 'messages/s', contenders, ROUNDS)
    rows.push(...measured)
    if (original !== undefined)
      checks.push(check(`${name}: share of ikcp.c`, measured[1]!.ratio, goal))
  }
}

/** What ten million segments leave in memory, and what each takes for a moment. */
export function heapGrowth(rows: BenchRow[], checks: BenchCheck[]): void {
  const pair = new CorePair(100, 128)
  const carry = (segments: number): void => {
    const until = pair.received + segments
    while (pair.received < until) pair.round()
  }
  carry(500_000)
  const before = bytesInUse()
  carry(100_000)
  // Nothing is collected here.
  const { heapUsed, external } = process.memoryUsage()
  const moment = (heapUsed + external - before) / 100_000
  carry(10_000_000)
  const growth = Math.max(0, bytesInUse() - before) / 10_000_000
  const row = { contender: '@rts/kcp', unit: 'B/segment', ratio: 1 }
  rows.push({ case: 'growth over 10^7 segments, also outside the heap', value: growth, ...row })
  rows.push({ case: 'garbage over 10^5 segments, also outside the heap', value: moment, ...row })
  checks.push(check('growth over 10^7 segments, B each', growth, '<= 16'))
  checks.push(check('garbage over 10^5 segments, B each', moment, '<= 16'))
}
