import { seededRandom, type SeededRandom } from '@rts/testing'
import { Balancer, type BalancerOptions, type HealthEvent } from '../src/balancer.ts'
import type { NodeRecord } from '../src/node-record.ts'
import type { PickingOptions, PickOptions, PickPolicy } from '../src/pick.ts'
import { checkPicking } from '../src/picking.ts'

export const node = (id: string, rest: Partial<NodeRecord> = {}): NodeRecord => ({
  id,
  epoch: 'e',
  role: 'game',
  addresses: {},
  state: 'ready',
  ...rest,
})

export const nodes = (count: number, rest: Partial<NodeRecord> = {}): NodeRecord[] =>
  Array.from({ length: count }, (_, index) => node(`game_${index}`, rest))

/** A balancer with a clock that only the test moves. */
export class Fleet {
  now = 1000
  readonly random: SeededRandom
  readonly balancer: Balancer
  readonly health: HealthEvent[] = []
  readonly deferred: (() => void)[] = []

  constructor(
    records: readonly NodeRecord[],
    picking: PickingOptions = {},
    options: Partial<BalancerOptions> & { readonly seed?: number } = {},
  ) {
    this.random = seededRandom(options.seed ?? 1)
    this.balancer = new Balancer({
      picking: checkPicking(picking),
      loadOf: undefined,
      now: () => this.now,
      defer: (fn) => this.deferred.push(fn),
      random: this.random.fork(),
      onHealth: (event) => this.health.push(event),
      ...options,
    })
    for (const record of records) this.balancer.set(record, false)
  }

  turn(): void {
    for (const fn of this.deferred.splice(0)) fn()
  }

  /** How often each node was picked, each call done at once. */
  share(policy: PickPolicy | PickOptions, times: number): Record<string, number> {
    const counts: Record<string, number> = {}
    for (let call = 0; call < times; call += 1) {
      const picked = this.balancer.pick(policy)!
      counts[picked.id] = (counts[picked.id] ?? 0) + 1
      picked.done({ latencyMs: 1 })
    }
    return counts
  }
}

export interface SimulatedNode {
  /** Of the time that one call takes. */
  readonly workMs: number
  /** Calls it works on at once; the others wait. */
  readonly workers: number
  /** Since when each of its calls fails, at once. */
  readonly failsFromMs?: number
}

export interface SimulationOptions {
  readonly fleet: Fleet
  readonly nodes: Readonly<Record<string, SimulatedNode>>
  readonly policy: PickPolicy | PickOptions
  readonly callsPerSecond: number
  readonly forMs: number
  /** Only what is picked after this counts. */
  readonly fromMs?: number
}

export interface SimulationResult {
  readonly calls: Readonly<Record<string, number>>
  readonly failed: number
  /** The 99th percentile of the calls that went well. */
  readonly p99Ms: number
  /** Of the calls that a node had on average; over all nodes. */
  readonly maxByMean: number
}

interface Arrival {
  readonly at: number
  readonly run: () => void
}

/** Calls that come by chance, to nodes that work on a few at a time. Its clock is the fleet's. */
export function simulate(options: SimulationOptions): SimulationResult {
  const { fleet, policy, callsPerSecond, forMs, fromMs = 0 } = options
  const { random } = fleet
  const exponential = (mean: number) => -mean * Math.log(1 - random.next())
  const begin = fleet.now
  const calls: Record<string, number> = {}
  const latencies: number[] = []
  let failed = 0
  const events: Arrival[] = []
  const push = (at: number, run: () => void) => {
    let low = 0
    let high = events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (events[middle]!.at > at) low = middle + 1
      else high = middle
    }
    events.splice(low, 0, { at, run })
  }
  const freeAt = new Map<string, number[]>()
  for (const [id, { workers }] of Object.entries(options.nodes)) {
    freeAt.set(
      id,
      Array.from({ length: workers }, () => begin),
    )
    calls[id] = 0
  }
  const arrive = () => {
    const picked = fleet.balancer.pick(policy)!
    const at = fleet.now
    const counts = at - begin >= fromMs
    if (counts) calls[picked.id]! += 1
    const { workMs, failsFromMs = Infinity } = options.nodes[picked.id]!
    if (at - begin >= failsFromMs) {
      if (counts) failed += 1
      push(at + 0.2, () => picked.done({ failed: true }))
    } else {
      const workers = freeAt.get(picked.id)!
      const worker = workers.indexOf(Math.min(...workers))
      const end = Math.max(at, workers[worker]!) + exponential(workMs)
      workers[worker] = end
      push(end, () => {
        if (counts) latencies.push(end - at)
        picked.done()
      })
    }
    const next = at + exponential(1000 / callsPerSecond)
    if (next - begin < forMs) push(next, arrive)
  }
  push(begin, arrive)
  for (let event = events.pop(); event !== undefined; event = events.pop()) {
    fleet.now = event.at
    event.run()
  }
  latencies.sort((a, b) => a - b)
  const counts = Object.values(calls)
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return {
    calls,
    failed,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    maxByMean: Math.max(...counts) / mean,
  }
}
