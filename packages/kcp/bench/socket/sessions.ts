// Many sessions on one listener: what they cost idle and busy, in memory, and while it is flooded with forged hellos.
import type { ChildProcess } from 'node:child_process'
import { check, type BenchCheck, type BenchRow } from '../../../../bench.base.ts'
import type { KcpCounters } from '../../src/index.ts'
import { ask, heard, pause, start, startLoad } from './processes.ts'

const IDLE_SESSIONS = 5000
/** Over several processes: one alone would be busier than the listener, and measure itself. */
const BUSY_PROCESSES = 3
const BUSY_SESSIONS = 1980
/** Sessions more, in a process with nothing else to do: what they measure is the listener's doing. */
const PROBES = 20
const BUSY_HZ = 20
const BUSY_MS = 4000
/** Until V8 has compiled what all sessions do, and what piled up meanwhile is gone. */
const BUSY_SETTLE_MS = 6000
const FLOODED_SESSIONS = 200
const FLOOD_PER_SECOND = 100_000
const FLOOD_WINDOW_MS = 2500
const BUSY_ROUNDS = 4

interface Cost {
  readonly cpuUs: number
  readonly heapUsed: number
  readonly rss: number
  readonly sessions: number
  readonly counters: KcpCounters
}
interface Trips {
  readonly cpuUs: number
  readonly resends: number
  readonly tickP99: number
  readonly echoes: number
  readonly sent: number
  readonly p50: number
  readonly p99: number
  readonly open: number
}
interface Flood {
  readonly name: string
  readonly rounds: number
  /** With numbers of sessions that are open, which who reads the line knows, instead of hellos. */
  readonly isSealed: boolean
  /** How much longer sessions may wait, at their p99. */
  readonly maxSlowdown: number
  /** How many of its datagrams the listener has looked at. */
  arrived(counters: KcpCounters): number
}
interface Cases {
  readonly rows: BenchRow[]
  readonly checks: BenchCheck[]
}

const row = (name: string, value: number, unit: string): BenchRow => ({
  case: name,
  contender: 'listener',
  value,
  unit,
  ratio: 1,
})

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median and range over the rounds. */
const rowOf = (name: string, values: readonly number[], unit: string): BenchRow => ({
  ...row(name, median(values), unit),
  range: [Math.min(...values), Math.max(...values)],
})

/** The server's share of a core over a while, and what it read. */
async function watch(
  server: ChildProcess,
  ms: number,
): Promise<{ readonly share: number; readonly datagramsIn: number }> {
  const first = await ask<Cost>(server, 'cpu')
  const began = performance.now()
  await pause(ms)
  const last = await ask<Cost>(server, 'cpu')
  return {
    share: (last.cpuUs - first.cpuUs) / 1000 / (performance.now() - began),
    datagramsIn: last.counters.datagramsIn - first.counters.datagramsIn,
  }
}

async function open(
  sessions: number,
  perSocket = 50,
): Promise<{
  readonly server: ChildProcess
  readonly client: ChildProcess
  readonly port: number
  readonly before: Cost
  readonly convs: readonly number[]
}> {
  const server = start('sessions-server.ts')
  const { port } = await heard<{ port: number }>(server)
  const before = await ask<Cost>(server, 'cost')
  const client = start('sessions-client.ts', [port, sessions, 'sessions', perSocket])
  const { convs } = await heard<{ convs: readonly number[] }>(client)
  return { server, client, port, before, convs }
}

export async function idleCases(): Promise<Cases> {
  const { server, client, before } = await open(IDLE_SESSIONS)
  await pause(12_000)
  const after = await ask<Cost>(server, 'cost')
  if (after.sessions !== IDLE_SESSIONS) throw new Error(`${after.sessions} sessions`)
  const { share } = await watch(server, 15_000)
  const { open: stillOpen } = await ask<Trips>(client, {})
  client.kill()
  server.kill()
  if (stillOpen !== IDLE_SESSIONS) throw new Error(`${stillOpen} sessions are open`)
  const heap = (after.heapUsed - before.heapUsed) / IDLE_SESSIONS
  const name = `${IDLE_SESSIONS} idle sessions`
  return {
    rows: [
      row(`${name}: CPU`, share * 100, '% of a core'),
      row(`${name}: heap each`, heap, 'bytes'),
      row(`${name}: resident each`, (after.rss - before.rss) / IDLE_SESSIONS, 'bytes'),
    ],
    checks: [
      check(`${name}: share of a core`, share, '<= 0.03'),
      check(`${name}: heap bytes each`, heap, '<= 4096'),
    ],
  }
}

interface BusyRound {
  readonly share: number
  readonly read: number
  readonly sent: number
  readonly echoes: number
  readonly resends: number
  readonly lateness: number
  readonly loadP99: number
  readonly p50: number
  readonly p99: number
  readonly controlP50: number
  readonly controlP99: number
  readonly added: number
}

export async function busyCases(): Promise<Cases> {
  const perProcess = BUSY_SESSIONS / BUSY_PROCESSES
  const server = start('sessions-server.ts')
  const { port } = await heard<{ port: number }>(server)
  const bare = start('echo-server.ts', ['bare'])
  const { port: barePort } = await heard<{ port: number }>(bare)
  const loaders = Array.from({ length: BUSY_PROCESSES }, () =>
    startLoad('sessions-client.ts', [port, perProcess]),
  )
  const probe = start('sessions-client.ts', [port, PROBES])
  // What a round trip takes at the same time on the same machine without a listener.
  const control = start('sessions-client.ts', [barePort, PROBES, 'bare'])
  const clients = [...loaders, probe, control]
  await Promise.all(clients.map(heard))
  const all = (question: object): Promise<Trips[]> =>
    Promise.all(clients.map((each) => ask<Trips>(each, question)))
  await all({ hz: BUSY_HZ })
  await pause(BUSY_SETTLE_MS)
  const seconds = BUSY_MS / 1000
  const rounds: BusyRound[] = []
  for (let round = 0; round < BUSY_ROUNDS; round += 1) {
    const before = await all({ take: true })
    const { share, datagramsIn } = await watch(server, BUSY_MS)
    const after = await all({})
    const load = after.slice(0, -2)
    const [probed, controlled] = after.slice(-2) as [Trips, Trips]
    const sum = (pick: (trips: Trips) => number): number =>
      load.reduce((total, trips) => total + pick(trips), 0)
    rounds.push({
      share,
      read: datagramsIn / sum(({ echoes }) => echoes),
      sent: sum(({ sent }) => sent) / seconds,
      echoes: sum(({ echoes }) => echoes) / seconds,
      resends: (sum(({ resends }) => resends) - sumOf(before.slice(0, -2))) / seconds,
      lateness: Math.max(...load.map(({ tickP99 }) => tickP99)),
      loadP99: Math.max(...load.map(({ p99 }) => p99)),
      p50: probed.p50,
      p99: probed.p99,
      controlP50: controlled.p50,
      controlP99: controlled.p99,
      added: probed.p99 - controlled.p99,
    })
  }
  for (const child of [...clients, server, bare]) child.kill()
  const of = (field: keyof BusyRound): number[] => rounds.map((each) => each[field])
  const name = `${BUSY_SESSIONS + PROBES} sessions x ${BUSY_HZ} Hz x 64 B echo`
  const cpuEach = rounds.map(({ share, echoes }) => (share * 1e6) / echoes)
  const offered = median(of('sent')) / (BUSY_SESSIONS * BUSY_HZ)
  return {
    rows: [
      rowOf(`${name}: sent`, of('sent'), '/s'),
      rowOf(`${name}: echoes`, of('echoes'), '/s'),
      rowOf(
        `${name}: CPU`,
        of('share').map((share) => share * 100),
        '% of a core',
      ),
      rowOf(`${name}: CPU each`, cpuEach, 'us'),
      rowOf(`${name}: datagrams read for each`, of('read'), ''),
      rowOf(`${name}: sent again by clients`, of('resends'), '/s'),
      rowOf(`${name}: p50 of ${PROBES} probes`, of('p50'), 'ms'),
      rowOf(`${name}: p50 of a bare echo beside it`, of('controlP50'), 'ms'),
      rowOf(`${name}: p99 of ${PROBES} probes`, of('p99'), 'ms'),
      rowOf(`${name}: p99 of a bare echo beside it`, of('controlP99'), 'ms'),
      rowOf(`${name}: p99 of what makes the load`, of('loadP99'), 'ms'),
      rowOf(`${name}: p99 of its 1 ms timer`, of('lateness'), 'ms'),
    ],
    checks: [
      check(`${name}: sent, of what was to be sent`, offered, '>= 0.95'),
      check(`${name}: share of a core`, median(of('share')), '<= 1'),
      check(`${name}: p99 added, ms`, median(of('added')), '<= 10'),
    ],
  }
}

const sumOf = (trips: readonly Trips[]): number =>
  trips.reduce((total, { resends }) => total + resends, 0)

export const helloFloodCases = (): Promise<Cases> =>
  flood({
    name: `${FLOOD_PER_SECOND} forged hellos a second`,
    // Twenty seconds of flood in all.
    rounds: 8,
    isSealed: false,
    maxSlowdown: 2,
    arrived: ({ retries, dropped }) => retries + dropped.retryBudget - FLOODED_SESSIONS,
  })

export const sealedFloodCases = (): Promise<Cases> =>
  flood({
    name: `${FLOOD_PER_SECOND} datagrams with wrong tags a second`,
    rounds: 4,
    isSealed: true,
    // Each has to be read, and its tag looked at, by the thread that has the sessions.
    maxSlowdown: 5,
    arrived: ({ dropped }) => dropped.notAuthentic,
  })

async function flood({ name, rounds, isSealed, maxSlowdown, arrived }: Flood): Promise<Cases> {
  const { server, client, port, convs } = await open(FLOODED_SESSIONS, 1)
  const elsewhere = start('echo-server.ts', ['drop'])
  const { port: portElsewhere } = await heard<{ port: number }>(elsewhere)
  const floods = {
    here: startLoad('flood-client.ts', [port, FLOOD_PER_SECOND]),
    // The same work for the machine, but not for the listener.
    elsewhere: startLoad('flood-client.ts', [portElsewhere, FLOOD_PER_SECOND]),
  }
  await Promise.all(Object.values(floods).map(heard))
  if (isSealed) await Promise.all(Object.values(floods).map((each) => ask(each, { convs })))
  await ask(client, { hz: BUSY_HZ })
  await pause(3000)
  const before = await ask<Cost>(server, 'cost')
  const p99: Record<'quiet' | 'elsewhere' | 'here', number[]> = {
    quiet: [],
    elsewhere: [],
    here: [],
  }
  let cpuUs = 0
  let calmCpuUs = 0
  let { heapUsed, rss } = before
  for (let round = 0; round < rounds; round += 1) {
    for (const place of ['quiet', 'elsewhere', 'here'] as const) {
      const flooder = place === 'quiet' ? undefined : floods[place]
      if (flooder !== undefined) await ask(flooder, { begin: true })
      await ask(client, { take: true })
      const { cpuUs: cpuBefore } = await ask<Cost>(server, 'cpu')
      await pause(FLOOD_WINDOW_MS)
      const spent = (await ask<Cost>(server, 'cpu')).cpuUs - cpuBefore
      if (place === 'here') cpuUs += spent
      if (place === 'quiet') calmCpuUs += spent
      p99[place].push((await ask<Trips>(client, {})).p99)
      if (flooder !== undefined) await ask(flooder, { stop: true })
      await pause(300)
    }
    // By then sessions have sockets of their own and a thread reads the port; from here on it is to stay as it is.
    if (round === 0) ({ heapUsed, rss } = await ask<Cost>(server, 'cost'))
  }
  const { open: stillOpen } = await ask<Trips>(client, { stop: true })
  const sent = await ask<{ sent: number; sentBytes: number; received: number }>(floods.here, {
    stop: true,
  })
  const after = await ask<Cost>(server, 'cost')
  for (const child of [...Object.values(floods), elsewhere, client, server]) child.kill()
  const seconds = (rounds * FLOOD_WINDOW_MS) / 1000
  const taken = arrived(after.counters)
  const growth = (after.heapUsed - heapUsed) / 1024
  const sessions = `p99 of ${FLOODED_SESSIONS} sessions`
  return {
    rows: [
      row(`${name}: sent`, sent.sent / seconds, '/s'),
      row(`${name}: taken by the listener`, taken / seconds, '/s'),
      row(`${name}: CPU each`, (cpuUs - calmCpuUs) / taken, 'us'),
      row(
        `${name}: CPU with ${FLOODED_SESSIONS * BUSY_HZ} echoes a second`,
        cpuUs / seconds / 1e4,
        '% of a core',
      ),
      row(`${name}: heap of sockets for sessions`, (heapUsed - before.heapUsed) / 1024, 'KiB'),
      row(`${name}: heap growth after`, growth, 'KiB'),
      row(`${name}: resident growth at first`, (rss - before.rss) / 2 ** 20, 'MiB'),
      row(`${name}: resident growth after`, (after.rss - rss) / 2 ** 20, 'MiB'),
      rowOf(`${name}: ${sessions} without`, p99.quiet, 'ms'),
      rowOf(`${name}: ${sessions} while others are flooded`, p99.elsewhere, 'ms'),
      rowOf(`${name}: ${sessions} during`, p99.here, 'ms'),
      row(`${name}: sessions still open`, stillOpen, ''),
    ],
    checks: [
      check(
        `${name}: sent, of what was to be sent`,
        sent.sent / seconds / FLOOD_PER_SECOND,
        '>= 0.95',
      ),
      check(`${name}: heap growth, KiB`, Math.max(0, growth), '<= 512'),
      check(
        `${name}: p99 against without`,
        median(p99.here) / median(p99.quiet),
        `<= ${maxSlowdown}`,
      ),
      check(
        `${name}: p99 against others flooded`,
        median(p99.here) / median(p99.elsewhere),
        `<= ${maxSlowdown}`,
      ),
      check(`${name}: amplification`, sent.received / sent.sentBytes, '<= 1'),
    ],
  }
}
