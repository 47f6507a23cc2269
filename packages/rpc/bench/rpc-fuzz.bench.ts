// A hundred million fuzzed bytes, and what the bombs cost: `--seed N` and `--bytes N` for another run.
import { parseArgs } from 'node:util'
import { check, report, type BenchRow } from '../../../bench.base.ts'
import { untrustedDecoder } from '../src/codec.ts'
import { DECODE_LIMITS } from '../src/decode-limits.ts'
import { systemClock } from '../src/index.ts'
import { bombs } from '../test/bombs.ts'
import { fuzzFrames } from '../test/chaos/fuzz.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, bytes: { type: 'string' } },
  strict: false,
})
const wanted = Number(values['bytes'] ?? 100_000_000)

const decoder = untrustedDecoder(DECODE_LIMITS)
const gc = globalThis.gc ?? ((): void => {})
const RUNS = 20

function refuse(bytes: Uint8Array): void {
  try {
    decoder.decode(bytes, 0)
  } catch {
    return
  }
  throw new Error('a bomb was decoded')
}

/** The worst of many, warm: a pause of the machine is not the bomb's. */
function costOf(bytes: Uint8Array): { readonly ms: number; readonly frames: number } {
  refuse(bytes)
  const times: number[] = []
  gc()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < RUNS; i++) {
    const startedAt = systemClock.now()
    refuse(bytes)
    times.push(systemClock.now() - startedAt)
  }
  const bytesEach = (process.memoryUsage().heapUsed - before) / RUNS
  times.sort((a, b) => a - b)
  // An error with its stack is a few KB whatever the frame; small ones count as the largest of a player.
  return {
    ms: times[RUNS - 2]!,
    frames: Math.max(0, bytesEach - 8192) / Math.max(bytes.length, 16_384),
  }
}

const rows: BenchRow[] = []
let slowest = 0
let largest = 0
for (const [name, bytes] of Object.entries(bombs)) {
  const { ms, frames } = costOf(bytes)
  slowest = Math.max(slowest, ms)
  largest = Math.max(largest, frames)
  rows.push({ case: name, contender: `${bytes.length} bytes`, value: ms, unit: 'ms', ratio: 1 })
}
const result = await fuzzFrames(Number(values['seed'] ?? 1), wanted)
console.log(result)
const row = (of: string, value: number, unit: string): BenchRow => ({
  case: of,
  contender: 'frames',
  value,
  unit,
  ratio: 1,
})
rows.push(row('fuzzed', result.bytes, 'B'), row('slowest frame', result.slowestMs, 'ms'))
report('rpc-fuzz', rows, [
  check('a bomb, ms', slowest, '<= 5'),
  check('memory of a bomb, its frames', largest, '<= 2'),
  check('bytes fuzzed', result.bytes, `>= ${wanted}`),
  check('closed methods reached', result.reached, '<= 0'),
  check('names added to all objects', result.pollution.length, '<= 0'),
  check('calls and links left', result.left, '<= 0'),
])
