// What a pick costs at a thousand nodes, and how good the choice is.
import { check, interleave, report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { systemClock } from '../src/clock.ts'
import { consistent, rendezvous, type PickOptions, type PickPolicy } from '../src/index.ts'
import { MAGLEV_SLOTS, maglevTable } from '../src/maglev.ts'
import { systemRandom } from '../src/random.ts'
import { Fleet, nodes, simulate, type SimulatedNode } from '../test/fleet.ts'

const NODES = 1000

/** Of this thread's own time: what others do on the machine does not count. */
function nanoseconds(times: number, work: (call: number) => void): number {
  const before = process.threadCpuUsage()
  for (let call = 0; call < times; call += 1) work(call)
  const { user, system } = process.threadCpuUsage(before)
  return ((user + system) * 1000) / times
}

async function costs(): Promise<{ rows: BenchRow[]; checks: BenchCheck[] }> {
  const fleet = new Fleet(nodes(NODES), {}, { now: systemClock.now, random: systemRandom })
  const { balancer } = fleet
  const keys = Array.from({ length: 1024 }, (_, index) => `player/${index}`)
  const pick = (policy?: PickPolicy | PickOptions) => {
    if (balancer.pick(policy) === undefined) throw new Error('nobody was picked')
  }
  const answer = { latencyMs: 1 }
  const measures: Record<string, () => number> = {
    p2c: () => nanoseconds(1_000_000, () => pick()),
    'p2c and done': () => nanoseconds(1_000_000, () => balancer.pick()!.done(answer)),
    roundRobin: () => nanoseconds(1_000_000, () => pick('roundRobin')),
    weighted: () => nanoseconds(1_000_000, () => pick('weighted')),
    leastLoaded: () => nanoseconds(5000, () => pick('leastLoaded')),
    'consistent (Maglev)': () =>
      nanoseconds(1_000_000, (call) => pick(consistent(keys[call & 1023]!))),
    rendezvous: () => nanoseconds(5000, (call) => pick(rendezvous(keys[call & 1023]!))),
    'maglev table': () => nanoseconds(20, () => maglevTable(maglevEntries(NODES))),
    'look over all nodes': () =>
      nanoseconds(50, () => {
        balancer.set(nodes(1, { weight: 1 })[0]!, false)
        balancer.set(nodes(1, { version: '2' })[0]!, false)
        pick()
      }),
  }
  for (const measure of Object.values(measures)) measure()
  const rows = await interleave(`one pick of ${NODES} nodes`, 'ns', measures, 9)
  const of = (contender: string) => rows.find((row) => row.contender === contender)!.value
  return {
    rows,
    checks: [
      check('p2c, ns', of('p2c'), '<= 150'),
      check('Maglev, ns', of('consistent (Maglev)'), '<= 100'),
      check('rendezvous, ns', of('rendezvous'), '<= 20000'),
      check('Maglev table of 1,000 nodes, ms', of('maglev table') / 1e6, '<= 30'),
    ],
  }
}

const maglevEntries = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `game_${index}`, weight: 1 }))

/** The share of slots that change hands beyond those of the node that goes, at worst. */
function moved(count: number): number {
  const all = maglevEntries(count)
  const before = maglevTable(all)
  let worst = 0
  for (let gone = 0; gone < count; gone += Math.ceil(count / 25)) {
    const left = all.filter((_, index) => index !== gone)
    const after = maglevTable(left)
    let changed = 0
    for (let slot = 0; slot < MAGLEV_SLOTS; slot += 1) {
      if (all[before[slot]!]!.id !== left[after[slot]!]!.id) changed += 1
    }
    worst = Math.max(worst, changed / MAGLEV_SLOTS - 1 / count)
  }
  return worst
}

const fleetOf = (count: number, odd?: SimulatedNode): Record<string, SimulatedNode> => {
  const all = nodes(count).map(({ id }) => [id, { workMs: 10, workers: 8 }] as const)
  return { ...Object.fromEntries(all), ...(odd ? { game_0: odd } : {}) }
}

function quality(): { rows: BenchRow[]; checks: BenchCheck[] } {
  const rows: BenchRow[] = []
  const checks: BenchCheck[] = []
  const row = (name: string, contender: string, value: number, unit: string) =>
    rows.push({ case: name, contender, value, unit, ratio: 1 })
  const run = (policy: PickPolicy, count: number, odd?: SimulatedNode, fromMs = 2000) =>
    simulate({
      fleet: new Fleet(nodes(count)),
      nodes: fleetOf(count, odd),
      policy,
      // Half of what the nodes can do.
      callsPerSecond: count * 400,
      forMs: 12_000,
      fromMs,
    })
  for (const count of [10, 30]) {
    const name = `${count} nodes, one 5x slow`
    for (const policy of ['p2c', 'leastLoaded', 'roundRobin'] as const) {
      const plain = run(policy, count)
      const slow = run(policy, count, { workMs: 50, workers: 8 })
      row(name, `${policy}: calls of the busiest by the mean`, slow.maxByMean, 'x')
      row(name, `${policy}: p99 by that without a slow one`, slow.p99Ms / plain.p99Ms, 'x')
      if (policy !== 'p2c') continue
      checks.push(check(`p2c max/mean, ${name}`, slow.maxByMean, '<= 1.15'))
      checks.push(check(`p2c p99, ${name}`, slow.p99Ms / plain.p99Ms, '<= 1.5'))
    }
  }
  for (const policy of ['p2c', 'roundRobin', 'weighted', 'leastLoaded'] as const) {
    const { calls } = run(policy, 10, { workMs: 10, workers: 8, failsFromMs: 0 }, 1000)
    const share = calls['game_0']! / Object.values(calls).reduce((sum, count) => sum + count, 0)
    row('10 nodes, one always fails', `${policy}: its calls after 1 s`, share * 100, '%')
    checks.push(check(`${policy}: calls to a failing node after 1 s, %`, share * 100, '<= 1'))
  }
  for (const count of [10, 100, 1000]) {
    const worst = moved(count) * 100
    row('a node goes', `Maglev of ${count}: keys of others that move`, worst, '%')
    checks.push(check(`Maglev of ${count}: moved beyond the ideal, %`, worst, '<= 2'))
  }
  return { rows, checks }
}

const cost = await costs()
const choice = quality()
report('pick', [...cost.rows, ...choice.rows], [...cost.checks, ...choice.checks])
