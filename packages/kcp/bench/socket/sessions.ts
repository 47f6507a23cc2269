// Many sessions on one listener: what they cost idle and busy, and in memory at both ends.
import type { ChildProcess } from 'node:child_process'
import { check } from '../../../../bench.base.ts'
import {
  BUSY_HZ,
  median,
  open,
  row,
  rowOf,
  type Cases,
  type Cost,
  type Trips,
} from './many-sessions.ts'
import { ask, heard, pause, start, startLoad } from './processes.ts'

const IDLE_SESSIONS = 5000
const CLIENT_SESSIONS = 500
/** What all clients of a process share is there before the others are counted. */
const WARM_CLIENTS = 50
const CLIENT_SETTLE_MS = 5000
/** Over several processes: one alone would be busier than the listener, and measure itself. */
const BUSY_PROCESSES = 3
const BUSY_SESSIONS = 1980
/** Sessions more, in a process with nothing else to do: what they measure is the listener's doing. */
const PROBES = 20
const BUSY_MS = 4000
/** Until V8 has compiled what all sessions do, and what piled up meanwhile is gone. */
const BUSY_SETTLE_MS = 6000
const BUSY_ROUNDS = 4

interface ClientCost {
  readonly heapUsed: number
  readonly external: number
  readonly open: number
}
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
  const each = (field: 'heapUsed' | 'external' | 'rss'): number =>
    (after[field] - before[field]) / IDLE_SESSIONS
  const name = `${IDLE_SESSIONS} idle sessions`
  return {
    rows: [
      row(`${name}: CPU`, share * 100, '% of a core'),
      row(`${name}: heap each`, each('heapUsed'), 'bytes'),
      row(`${name}: outside the heap each`, each('external'), 'bytes'),
      row(`${name}: resident each`, each('rss'), 'bytes'),
    ],
    checks: [
      check(`${name}: share of a core`, share, '<= 0.03'),
      check(`${name}: heap bytes each`, each('heapUsed'), '<= 4096'),
      check(`${name}: bytes outside the heap each`, each('external'), '<= 1024'),
    ],
  }
}

/** What a client costs the process it is in, with a socket of its own. */
export async function clientMemoryCases(): Promise<Cases> {
  const server = start('sessions-server.ts')
  const { port } = await heard<{ port: number }>(server)
  const clients = start('memory-client.ts', [port, WARM_CLIENTS, CLIENT_SESSIONS])
  await heard(clients)
  // What the handshake took is given back, and the search for a larger datagram is over.
  await pause(CLIENT_SETTLE_MS)
  const before = await ask<ClientCost>(clients, 'cost')
  await ask<ClientCost>(clients, 'open')
  await pause(CLIENT_SETTLE_MS)
  const after = await ask<ClientCost>(clients, 'cost')
  clients.kill()
  server.kill()
  if (after.open - before.open !== CLIENT_SESSIONS) throw new Error(`${after.open} are open`)
  const heap = (after.heapUsed - before.heapUsed) / CLIENT_SESSIONS
  const outside = (after.external - before.external) / CLIENT_SESSIONS
  const name = `${CLIENT_SESSIONS} clients in one process`
  return {
    rows: [
      { ...row(`${name}: heap each`, heap, 'bytes'), contender: 'client' },
      { ...row(`${name}: outside the heap each`, outside, 'bytes'), contender: 'client' },
    ],
    checks: [
      check(`${name}: heap bytes each`, heap, '<= 16384'),
      check(`${name}: bytes outside the heap each`, outside, '<= 4096'),
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
