// What a flood with forged addresses does to a listener and its sessions.
import { check } from '../../../../bench.base.ts'
import type { KcpCounters } from '../../src/index.ts'
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
import { startFlooder, type FloodKind } from './flooders.ts'
import { ask, heard, pause, start } from './processes.ts'

const FLOODED_SESSIONS = 200
const FLOOD_PER_SECOND = 100_000
/** How often it floods the listener, and how long on end: so many windows. */
const ROUNDS = 2
const WINDOWS = 4
const WINDOW_MS = 2500

interface Flood {
  readonly name: string
  /** What is sealed bears numbers of sessions that are open, which who reads the line knows. */
  readonly kind: FloodKind
  /** How much longer sessions may wait, at their p99. */
  readonly maxSlowdown: number
  /** How many of its datagrams the listener has looked at. */
  arrived(counters: KcpCounters): number
}
interface Flooded {
  readonly cpuUs: number
  readonly sent: number
  readonly sentBytes: number
  readonly received: number
  readonly calls: number
  readonly sources: number
}
export const helloFloodCases = (): Promise<Cases> =>
  flood({
    name: `${FLOOD_PER_SECOND} forged hellos a second`,
    kind: 'hellos',
    maxSlowdown: 2,
    arrived: ({ retries, dropped }) => retries + dropped.retryBudget - FLOODED_SESSIONS,
  })

export const sealedFloodCases = (): Promise<Cases> =>
  flood({
    name: `${FLOOD_PER_SECOND} datagrams with wrong tags a second`,
    kind: 'sealed',
    // Each has to be read, and its tag looked at, by the thread that has the sessions.
    maxSlowdown: 5,
    arrived: ({ dropped }) => dropped.notAuthentic,
  })

async function flood(options: Flood): Promise<Cases> {
  const { name, kind, maxSlowdown, arrived } = options
  const { server, client, port, convs } = await open(FLOODED_SESSIONS, 1)
  const elsewhere = start('echo-server.ts', ['drop'])
  const { port: portElsewhere } = await heard<{ port: number }>(elsewhere)
  const floods = {
    here: await startFlooder(port, FLOOD_PER_SECOND, kind),
    // The same work for the machine, but not for the listener.
    elsewhere: await startFlooder(portElsewhere, FLOOD_PER_SECOND, kind),
  }
  await Promise.all(Object.values(floods).map((each) => ask(each, { convs })))
  await ask(client, { hz: BUSY_HZ })
  await pause(3000)
  const before = await ask<Cost>(server, 'cost')
  const { cpuUs: cpuToBegin } = await ask<Flooded>(floods.here, {})
  const p99: Record<'quiet' | 'elsewhere' | 'here', number[]> = {
    quiet: [],
    elsewhere: [],
    here: [],
  }
  const resident: number[] = []
  let cpuUs = 0
  let calmCpuUs = 0
  let floodMs = 0
  let { heapUsed } = before
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const place of ['quiet', 'elsewhere', 'here'] as const) {
      const flooder = place === 'quiet' ? undefined : floods[place]
      if (flooder !== undefined) await ask(flooder, { begin: true })
      const began = performance.now()
      await ask(client, { take: true })
      const { cpuUs: cpuBefore } = await ask<Cost>(server, 'cpu')
      for (let window = 0; window < WINDOWS; window += 1) {
        await pause(WINDOW_MS)
        p99[place].push((await ask<Trips>(client, { take: true })).p99)
        if (place === 'here') resident.push((await ask<Cost>(server, 'cpu')).rss)
      }
      const spent = (await ask<Cost>(server, 'cpu')).cpuUs - cpuBefore
      if (flooder !== undefined) await ask(flooder, { stop: true })
      if (place === 'here') {
        cpuUs += spent
        floodMs += performance.now() - began
      }
      if (place === 'quiet') calmCpuUs += spent
      await pause(300)
    }
    // By then sessions have sockets of their own and a thread reads the port; from here on it is to stay as it is.
    if (round === 0) ({ heapUsed } = await ask<Cost>(server, 'cost'))
  }
  const { open: stillOpen } = await ask<Trips>(client, { stop: true })
  const sent = await ask<Flooded>(floods.here, { stop: true })
  const after = await ask<Cost>(server, 'cost')
  for (const child of [...Object.values(floods), elsewhere, client, server]) child.kill()
  const seconds = floodMs / 1000
  const taken = arrived(after.counters)
  const growth = (after.heapUsed - heapUsed) / 1024
  // The first window is that in which the thread begins and sessions get sockets of their own.
  const [first, ...later] = [...resident, after.rss].map((bytes) => bytes / 2 ** 20)
  const residentGrowth = later.map((mib) => mib - first!)
  // The thread ends between two floods; within one there is nothing that could grow.
  const withinFloods = Array.from({ length: ROUNDS }, (_, round) => {
    const of = resident.slice(round * WINDOWS, (round + 1) * WINDOWS)
    return (of.at(-1)! - of[0]!) / 2 ** 20
  })
  const sessions = `p99 of ${FLOODED_SESSIONS} sessions`
  return {
    rows: [
      row(`${name}: sent`, sent.sent / seconds, '/s'),
      row(`${name}: addresses sent from`, sent.sources, ''),
      row(`${name}: CPU of sending them`, (sent.cpuUs - cpuToBegin) / seconds / 1e4, '% of a core'),
      row(`${name}: datagrams the kernel cut of one sent`, sent.sent / sent.calls, ''),
      row(`${name}: taken by the listener`, taken / seconds, '/s'),
      row(`${name}: CPU each`, (cpuUs - calmCpuUs) / taken, 'us'),
      row(
        `${name}: CPU with ${FLOODED_SESSIONS * BUSY_HZ} echoes a second`,
        cpuUs / seconds / 1e4,
        '% of a core',
      ),
      row(`${name}: heap of sockets for sessions`, (heapUsed - before.heapUsed) / 1024, 'KiB'),
      row(`${name}: heap growth after`, growth, 'KiB'),
      row(`${name}: resident growth in the first window`, first! - before.rss / 2 ** 20, 'MiB'),
      rowOf(`${name}: resident growth in later ones`, residentGrowth, 'MiB'),
      rowOf(`${name}: resident growth within a flood`, withinFloods, 'MiB'),
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
        `${name}: resident growth after the first window, MiB`,
        Math.max(...residentGrowth),
        '<= 16',
      ),
      check(`${name}: resident growth within a flood, MiB`, Math.max(...withinFloods), '<= 8'),
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
