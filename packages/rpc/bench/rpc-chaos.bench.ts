// A million calls in a simulated cluster and a million to a real process through a fault proxy, under cuts, stalls, half-open links and
// kills: each ends once, with its own answer or an error that tells the truth. `--seed N` gives another run.
import { parseArgs } from 'node:util'
import { check, report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { simChaos } from '../test/chaos/sim-chaos.ts'
import type { ChaosResult } from '../test/chaos/tally.ts'
import { TcpChaos } from '../test/chaos/tcp-chaos.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, calls: { type: 'string' } },
  strict: false,
})
const seed = Number(values['seed'] ?? 1)
const calls = Number(values['calls'] ?? 1_000_000)

function summarised(name: string, result: ChaosResult): readonly [BenchRow[], BenchCheck[]] {
  console.log(name, result)
  const row = (of: string, value: number, unit: string): BenchRow => ({
    case: of,
    contender: name,
    value,
    unit,
    ratio: 1,
  })
  const faults = Object.values(result.faults).reduce((sum, count) => sum + count, 0)
  return [
    [
      row('calls', result.calls, ''),
      row('answered', result.answered, ''),
      row('faults', faults, ''),
      row('slowest end after a reset', result.slowestResetMs, 'ms'),
      row('slowest end after silence', result.slowestSilenceMs, 'ms'),
    ],
    [
      check(`${name}: calls`, result.calls, `>= ${calls}`),
      check(`${name}: unsettled`, result.unsettled, '<= 0'),
      check(`${name}: settled twice`, result.settledTwice, '<= 0'),
      check(`${name}: wrong replies`, result.wrongReplies, '<= 0'),
      check(`${name}: executed twice`, result.executedTwice, '<= 0'),
      check(`${name}: executed other than told`, result.misreported, '<= 0'),
      check(`${name}: end after a reset, ms`, result.slowestResetMs, '<= 50'),
      check(`${name}: end after silence, ms`, result.slowestSilenceMs, '<= 3000'),
    ],
  ]
}

const simulated = summarised('simulated', await simChaos(seed, calls, 5))
const chaos = new TcpChaos({ seed, calls, inFlight: 256, faultEveryMs: [50, 300] })
const real = summarised('over TCP', await chaos.run())
report('rpc-chaos', [...simulated[0], ...real[0]], [...simulated[1], ...real[1]])
