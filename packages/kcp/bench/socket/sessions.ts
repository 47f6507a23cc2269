// Many sessions on one listener: what they cost idle and busy, in memory, and while it is flooded with forged hellos.
import type { ChildProcess } from 'node:child_process'
import { check, type BenchCheck, type BenchRow } from '../../../../bench.base.ts'
import type { KcpCounters } from '../../src/index.ts'
import { ask, heard, pause, start } from './processes.ts'

const IDLE_SESSIONS = 5000
/** Over several processes: one alone would be busier than the listener, and measure itself. */
const BUSY_PROCESSES = 3
const BUSY_SESSIONS = 1998
const BUSY_HZ = 20
const FLOOD_PER_SECOND = 100_000
const FLOOD_SECONDS = 10

interface Cost {
  readonly cpuUs: number
  readonly heapUsed: number
  readonly rss: number
  readonly sessions: number
  readonly counters: KcpCounters
}
interface Trips {
  readonly echoes: number
  readonly sent: number
  readonly p50: number
  readonly p99: number
  readonly open: number
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

/** The server's share of a core over a while. */
async function coreShare(server: ChildProcess, ms: number): Promise<number> {
  const first = await ask<Cost>(server, 'cpu')
  const began = performance.now()
  await pause(ms)
  const last = await ask<Cost>(server, 'cpu')
  return (last.cpuUs - first.cpuUs) / 1000 / (performance.now() - began)
}

async function open(sessions: number): Promise<{
  readonly server: ChildProcess
  readonly client: ChildProcess
  readonly port: number
  readonly before: Cost
}> {
  const server = start('sessions-server.ts')
  const { port } = await heard<{ port: number }>(server)
  const before = await ask<Cost>(server, 'cost')
  const client = start('sessions-client.ts', [port, sessions])
  await heard(client)
  return { server, client, port, before }
}

export async function idleCases(): Promise<Cases> {
  const { server, client, before } = await open(IDLE_SESSIONS)
  await pause(12_000)
  const after = await ask<Cost>(server, 'cost')
  if (after.sessions !== IDLE_SESSIONS) throw new Error(`${after.sessions} sessions`)
  const share = await coreShare(server, 15_000)
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

export async function busyCases(): Promise<Cases> {
  const perProcess = BUSY_SESSIONS / BUSY_PROCESSES
  const { server, client, port } = await open(perProcess)
  const others = Array.from({ length: BUSY_PROCESSES - 1 }, () =>
    start('sessions-client.ts', [port, perProcess]),
  )
  await Promise.all(others.map(heard))
  const clients = [client, ...others]
  const all = (question: object): Promise<Trips[]> =>
    Promise.all(clients.map((each) => ask<Trips>(each, question)))
  await all({ hz: BUSY_HZ })
  await pause(2000)
  await all({ take: true })
  const share = await coreShare(server, 8000)
  const each = await all({ stop: true })
  for (const child of [...clients, server]) child.kill()
  const trips = {
    echoes: each.reduce((sum, { echoes }) => sum + echoes, 0),
    p50: Math.max(...each.map(({ p50 }) => p50)),
    p99: Math.max(...each.map(({ p99 }) => p99)),
  }
  const name = `${BUSY_SESSIONS} sessions x ${BUSY_HZ} Hz x 64 B echo`
  return {
    rows: [
      row(`${name}: CPU`, share * 100, '% of a core'),
      row(`${name}: echoes`, trips.echoes / 8, '/s'),
      row(`${name}: CPU each`, (share * 8e6) / trips.echoes, 'us'),
      row(`${name}: round trip p50`, trips.p50, 'ms'),
      row(`${name}: round trip p99`, trips.p99, 'ms'),
    ],
    checks: [
      check(`${name}: share of a core`, share, '<= 1'),
      check(`${name}: p99 of the round trip, ms`, trips.p99, '<= 10'),
    ],
  }
}

export async function floodCases(): Promise<Cases> {
  const { server, client, port } = await open(200)
  await ask(client, { hz: BUSY_HZ })
  await pause(3000)
  await ask(client, { take: true })
  await pause(5000)
  const calm = await ask<Trips>(client, { take: true })
  const before = await ask<Cost>(server, 'cost')
  const flood = start('flood-client.ts', [port, FLOOD_PER_SECOND])
  await heard(flood)
  await ask(flood, { begin: true })
  await pause(FLOOD_SECONDS * 1000)
  const during = await ask<Trips>(client, { stop: true })
  const sent = await ask<{ sent: number; sentBytes: number; received: number }>(flood, {
    stop: true,
  })
  const after = await ask<Cost>(server, 'cost')
  for (const child of [flood, client, server]) child.kill()
  const name = `${FLOOD_PER_SECOND} forged hellos a second`
  const arrived = after.counters.retries + after.counters.dropped.retryBudget
  const growth = (after.heapUsed - before.heapUsed) / 1024
  return {
    rows: [
      row(`${name}: sent`, sent.sent / FLOOD_SECONDS, '/s'),
      row(`${name}: taken by the listener`, arrived / FLOOD_SECONDS, '/s'),
      row(
        `${name}: CPU each, with 4000 echoes a second`,
        (after.cpuUs - before.cpuUs) / arrived,
        'us',
      ),
      row(`${name}: heap growth`, growth, 'KiB'),
      row(`${name}: p99 of 200 sessions before`, calm.p99, 'ms'),
      row(`${name}: p99 of 200 sessions during`, during.p99, 'ms'),
      row(`${name}: sessions still open`, during.open, ''),
    ],
    checks: [
      check(`${name}: heap growth, KiB`, Math.max(0, growth), '<= 512'),
      check(`${name}: p99 against before`, during.p99 / calm.p99, '<= 2'),
      check(`${name}: amplification`, sent.received / sent.sentBytes, '<= 1'),
    ],
  }
}
