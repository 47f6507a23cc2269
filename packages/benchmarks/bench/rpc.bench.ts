// `@rts/rpc` against its peers and against the practical limit of Node: two processes over loopback for each contender,
// a 64-byte string echoed. The control is the limit against moleculer: where it is not far ahead of that, something
// else than what is measured here was in the way, and the run is void.
import { loadavg } from 'node:os'
import { check, interleave, report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import type { ContenderName } from '../src/rpc/contenders.ts'
import { quantile } from '../src/rpc/load.ts'
import { hasNatsServer } from '../src/rpc/nats.ts'
import { Client, Server } from '../src/rpc/processes.ts'
import { localCallRate } from '../src/rpc/rts-local.ts'

const IN_FLIGHT = 256
/** Odd, so that a median is one of them. */
const ROUNDS = 11
const SLICE_MS = 600
const WARM_UP_MS = 1200
/** HTTP/2 takes its time until it is fast. */
const HTTP2_WARM_UP_MS = 4000
/** Together they keep a link just below what it lets wait. */
const FLOOD_WORKERS = 16

async function pair(name: ContenderName): Promise<Client> {
  return Client.start(name, (await Server.start(name)).address)
}

const at = (rows: readonly BenchRow[], contender: string): number =>
  rows.find((row) => row.contender === contender)!.value

// ---- calls per second

const natsHere = hasNatsServer()
const named: readonly ContenderName[] = [
  'raw',
  'rts service',
  'rts entity',
  'rts notify',
  'rts ws',
  'naive ws',
  'moleculer',
  'grpc-js',
  "Cap'n Web",
  ...(natsHere ? (['NATS'] as const) : []),
]

const clients = new Map<ContenderName, Client>()
for (const name of named) clients.set(name, await pair(name))

/** Notifications go by the hundred: four workers keep the link as busy as 256 callers do. */
const workers = (name: ContenderName): number => (name === 'rts notify' ? 4 : IN_FLIGHT)

/** The rates of each round. */
const rounds = new Map<ContenderName, number[]>(named.map((name) => [name, []]))

/** The median of what one was to the other in the same round: a machine with other work is fair to both of them. */
function ratioOf(name: ContenderName, other: ContenderName): number {
  const others = rounds.get(other)!
  const ratios = rounds.get(name)!.map((rate, round) => rate / others[round]!)
  return quantile(
    ratios.sort((a, b) => a - b),
    0.5,
  )
}

async function rates(): Promise<BenchRow[]> {
  for (const [name, client] of clients) {
    await client.throughput(workers(name), name === 'grpc-js' ? HTTP2_WARM_UP_MS : WARM_UP_MS)
  }
  const contenders = [...clients].map(([name, client]) => {
    const measure = async (): Promise<number> => {
      const rate = await client.throughput(workers(name), SLICE_MS)
      rounds.get(name)!.push(rate)
      return rate
    }
    return [name, measure] as const
  })
  return interleave(`${IN_FLIGHT} in flight`, 'calls/s', Object.fromEntries(contenders), ROUNDS)
}

// ---- one call after the other

type Latency = Awaited<ReturnType<Client['latency']>>

/** Both figures of each contender, from the same calls. */
async function latencies(
  of: string,
  contenders: Readonly<Record<string, () => Promise<Latency>>>,
): Promise<BenchRow[]> {
  const tails = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  const measures = Object.entries(contenders).map(([name, measure]) => {
    const both = async (): Promise<number> => {
      const { p50, p99 } = await measure()
      tails.get(name)!.push(p99)
      return p50
    }
    return [name, both] as const
  })
  const middles = await interleave(`${of} p50`, 'us', Object.fromEntries(measures), ROUNDS)
  const kept = [...tails].map(([name, values]) => [name, () => values.shift()!] as const)
  return [...middles, ...(await interleave(`${of} p99`, 'us', Object.fromEntries(kept), ROUNDS))]
}

async function sequential(): Promise<BenchRow[]> {
  const measured = (['raw', 'rts service'] as const).map((name) => {
    const client = clients.get(name)!
    return [name, () => client.latency(SLICE_MS)] as const
  })
  for (const [, measure] of measured) await measure()
  return latencies('sequential', Object.fromEntries(measured))
}

// ---- one peer floods a server, another one calls it

async function fairness(): Promise<BenchRow[]> {
  const server = await Server.start('rts service')
  const flooder = await Client.start('rts service', server.address)
  const other = await Client.start('rts service', server.address)
  const loud = async (): Promise<Latency> => {
    const [latency] = await Promise.all([
      other.latency(SLICE_MS),
      flooder.throughput(IN_FLIGHT, SLICE_MS),
    ])
    return latency
  }
  await loud()
  await other.latency(WARM_UP_MS)
  const quiet = (): Promise<Latency> => other.latency(SLICE_MS)
  const rows = await latencies("another peer's", { alone: quiet, 'beside a flood': loud })
  flooder.stop()
  other.stop()
  server.stop()
  return rows
}

/** How long a server that is flooded with notifications sees nothing else. */
async function longTurn(): Promise<BenchRow[]> {
  const client = await pair('rts notify')
  await client.throughput(FLOOD_WORKERS, WARM_UP_MS)
  await client.probe('longTurnMs')
  const flooded = async (): Promise<number> => {
    await client.throughput(FLOOD_WORKERS, SLICE_MS)
    return client.probe('longTurnMs')
  }
  const rows = await interleave('p99 of event loop turns', 'ms', { 'rts notify': flooded }, ROUNDS)
  client.stop()
  return rows
}

// ---- calls that stay in the process

async function inProcess(): Promise<BenchRow[]> {
  await localCallRate(WARM_UP_MS)
  const measured = { 'rts local': () => localCallRate(SLICE_MS) }
  return interleave('entity call in process', 'calls/s', measured, ROUNDS)
}

// ---- what waits

async function waiting(): Promise<BenchRow[]> {
  const client = await Client.start('rts pending', '')
  const idle = await client.probe('idlePercent')
  const heap = await client.probe('heapBytes')
  const busy = await client.probe('idlePercent')
  client.stop()
  const row = (of: string, contender: string, value: number, unit: string): BenchRow => ({
    case: of,
    contender,
    value,
    unit,
    ratio: 1,
  })
  return [
    row('1M pending calls', 'heap of one', heap, 'B'),
    row('1M pending calls', 'CPU', busy - idle, '%'),
  ]
}

async function stoppedReader(): Promise<BenchRow[]> {
  const server = await Server.start('rts notify')
  const client = await Client.start('rts notify', server.address)
  await client.throughput(workers('rts notify'), SLICE_MS)
  const stopped = async (): Promise<number> => {
    server.pause()
    const windows = await client.probe('backlog')
    server.resume()
    await client.probe('drained')
    return windows
  }
  const rows = await interleave('memory for a stopped reader', 'windows', { sender: stopped }, 3)
  client.stop()
  server.stop()
  return rows
}

// ---- all of it

console.log(`load average ${loadavg()[0]!.toFixed(2)}; NATS: ${natsHere ? 'here' : 'not found'}`)
const perSecond = await rates()
const single = await sequential()
for (const client of clients.values()) client.stop()
const local = await inProcess()
const beside = await fairness()
const turns = await longTurn()
const pending = await waiting()
const backlog = await stoppedReader()

const ratio = (rows: readonly BenchRow[], ofCase: string): number =>
  rows.findLast((row) => row.case === ofCase)!.ratio
const control = check('control: raw / moleculer', ratioOf('raw', 'moleculer'), '>= 12')
const checks: BenchCheck[] = [
  control,
  check('by address / raw', ratioOf('rts service', 'raw'), '>= 0.70'),
  check('entity / raw', ratioOf('rts entity', 'raw'), '>= 0.50'),
  check('entity / moleculer', ratioOf('rts entity', 'moleculer'), '>= 8'),
  ...(natsHere ? [check('entity / NATS', ratioOf('rts entity', 'NATS'), '>= 10')] : []),
  check('entity / grpc-js', ratioOf('rts entity', 'grpc-js'), '>= 30'),
  check('sequential p50 / raw', ratio(single, 'sequential p50'), '<= 1.2'),
  check('sequential p99 / raw', ratio(single, 'sequential p99'), '<= 2'),
  check('notify / entity', ratioOf('rts notify', 'rts entity'), '>= 1.5'),
  check('WebSocket / raw TCP', ratioOf('rts ws', 'raw'), '>= 0.40'),
  check('WebSocket / naive ws', ratioOf('rts ws', 'naive ws'), '>= 5'),
  check('entity call in process, M/s', at(local, 'rts local') / 1e6, '>= 3'),
  check('heap of a pending call, B', at(pending, 'heap of one'), '<= 300'),
  check('CPU of 1M pending calls, %', at(pending, 'CPU'), '<= 2'),
  check('p99 beside a flood / alone', ratio(beside, "another peer's p99"), '<= 3'),
  check('turn of a flooded loop, ms', at(turns, 'rts notify'), '<= 2'),
  check('memory for a stopped reader, windows', backlog[0]!.range![1], '<= 2'),
]
report(
  'rpc',
  [...perSecond, ...single, ...local, ...beside, ...turns, ...pending, ...backlog],
  checks,
)
if (!control.pass) console.error('the control is not in its place: this run is void')
process.exit()
