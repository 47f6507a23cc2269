// The registry on a real etcd: how soon changes are seen, and what a fleet costs and bears. Picking has `pick.bench.ts`.
import { setTimeout as pause } from 'node:timers/promises'
import { EtcdProcess } from '@rts/testing'
import { check, report, type BenchCheck, type BenchRow } from '../../../bench.base.ts'
import { EtcdBackend, Registry } from '../src/index.ts'
import { FleetProcess } from './fleet.ts'

const CONSUMER_PROCESSES = 4
const CONSUMERS = 200

const now = (): number => performance.timeOrigin + performance.now()
const rows: BenchRow[] = []
const checks: BenchCheck[] = []

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
}

function tell(name: string, unit: string, values: readonly number[]): void {
  for (const [contender, part] of [
    ['p50', 0.5],
    ['p99', 0.99],
    ['max', 1],
  ] as const) {
    rows.push({ case: name, contender, value: quantile(values, part), unit, ratio: 1 })
  }
}

async function startProcesses(count: number): Promise<FleetProcess[]> {
  return Array.from({ length: count }, () => new FleetProcess())
}

async function revision(hosts: string): Promise<number> {
  const backend = new EtcdBackend({ hosts })
  backend.open()
  const { revision: current } = await backend.range({ key: 'x' })
  await backend.close()
  return current
}

/** Requests that etcd has handled, by method. */
async function handled(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts: Record<string, number> = {}
  for (const [, method, count] of text.matchAll(
    /^grpc_server_handled_total\{.*grpc_method="(\w+)".*\} (\S+)$/gm,
  )) {
    counts[method!] = (counts[method!] ?? 0) + Number(count)
  }
  return counts
}

/** The time at which the last of all consumers, and the first, had heard it. */
async function heard(
  consumers: readonly FleetProcess[],
  kind: 'join' | 'leave',
  id: string,
): Promise<{ first: number; last: number }> {
  for (;;) {
    const times = (await Promise.all(consumers.map((each) => each.call('times', kind, id)))).flat()
    if (times.length === CONSUMERS) return { first: Math.min(...times), last: Math.max(...times) }
    await pause(10)
  }
}

async function changes(): Promise<void> {
  await using etcd = await EtcdProcess.start()
  const consumers = await startProcesses(CONSUMER_PROCESSES)
  const each = CONSUMERS / CONSUMER_PROCESSES
  await Promise.all(consumers.map((process) => process.call('consume', etcd.url, each)))
  await using registry = new Registry(new EtcdBackend({ hosts: etcd.url }))
  await registry.start()
  const [joins, firsts, leaves]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < 110; round++) {
    const id = `node_${round}`
    const joinedAt = now()
    const registration = await registry.register({ id, role: 'game', addresses: {} })
    const join = await heard(consumers, 'join', id)
    const leftAt = now()
    await registration.leave()
    const leave = await heard(consumers, 'leave', id)
    // The first ones warm everybody up.
    if (round < 10) continue
    joins.push(join.last - joinedAt)
    firsts.push(join.first - joinedAt)
    leaves.push(leave.last - leftAt)
  }
  tell('join → first pick, the first of 200 consumers', 'ms', firsts)
  tell('join → first pick, the last of 200 consumers', 'ms', joins)
  tell('graceful leave → last of 200 consumers stops picking', 'ms', leaves)
  checks.push(check('leave seen by the last of 200, p99 ms', quantile(leaves, 0.99), '<= 100'))
  checks.push(check('join seen by the last of 200, p99 ms', quantile(joins, 0.99), '<= 150'))
  for (const process of consumers) process.end()
}

async function rollingRestart(): Promise<void> {
  await using etcd = await EtcdProcess.start()
  const fleet = await startProcesses(2)
  const consumers = await startProcesses(CONSUMER_PROCESSES)
  await Promise.all(
    fleet.map((process, i) =>
      process.call('register', etcd.url, `game${i}`, 1000, { ttl: 15, perBackend: 50 }),
    ),
  )
  const each = CONSUMERS / CONSUMER_PROCESSES
  await Promise.all(consumers.map((process) => process.call('consume', etcd.url, each)))
  const before = await revision(etcd.url)
  await pause(15_000)
  const writes = ((await revision(etcd.url)) - before) / 2000
  checks.push(check('etcd writes of an idle node in 15 s', writes, '<= 0'))
  const expected = (await Promise.all(fleet.map((process) => process.call('roll', 60_000)))).flat()
  const rolledAt = now()
  const right = await Promise.all(consumers.map((process) => process.call('converge', expected)))
  const lateMs = Math.max(0, Math.max(...right) - rolledAt)
  rows.push({
    case: '2,000 nodes restarted in 60 s, 200 consumers',
    contender: 'last view right after',
    value: lateMs,
    unit: 'ms',
    ratio: 1,
  })
  const failed = await Promise.all(fleet.map((process) => process.call('failedStarts')))
  rows.push({
    case: '2,000 nodes restarted in 60 s, 200 consumers',
    contender: 'starts tried again',
    value: failed.reduce((sum, count) => sum + count, 0),
    unit: 'starts',
    ratio: 1,
  })
  checks.push(check('all views right after the rolling restart, ms', lateMs, '<= 2000'))
  for (const process of [...fleet, ...consumers]) process.end()
}

/** @returns for each node how long after `from` it was back */
async function allBack(fleet: readonly FleetProcess[], from: number): Promise<number[]> {
  for (;;) {
    const back = (await Promise.all(fleet.map((process) => process.call('back')))).flat()
    if (back.every((at) => at !== undefined && at > from)) return back.map((at) => at! - from)
    await pause(50)
  }
}

async function outages(): Promise<void> {
  const after50: number[] = []
  let flaps = 0
  {
    await using etcd = await EtcdProcess.start()
    const [fleet, consumers] = (await startProcesses(2)) as [FleetProcess, FleetProcess]
    await fleet.call('register', etcd.url, 'game', 50, { ttl: 3, perBackend: 1 })
    await consumers.call('consume', etcd.url, 10)
    await consumers.call('arm')
    for (const downMs of [500, 4000, 6000, 9000]) {
      await fleet.call('arm')
      await etcd.kill()
      await pause(downMs)
      await etcd.restart()
      const answersAt = now()
      if (downMs < 3000) await pause(4000)
      else
        after50.push(
          ...(await allBack([fleet], answersAt - 300)).map((ms) => Math.max(0, ms - 300)),
        )
      await pause(4000)
    }
    flaps += await consumers.call('flaps')
    for (const process of [fleet, consumers]) process.end()
  }
  tell('50 nodes registered again after etcd answers', 'ms', after50)
  checks.push(check('50 nodes registered again, p99 ms', quantile(after50, 0.99), '<= 1000'))

  await using etcd = await EtcdProcess.start()
  const fleet = await startProcesses(2)
  const [consumers] = (await startProcesses(1)) as [FleetProcess]
  await Promise.all(
    fleet.map((process, i) =>
      process.call('register', etcd.url, `game${i}`, 250, {
        ttl: 10,
        fleetSize: 500,
        perBackend: 1,
      }),
    ),
  )
  await consumers.call('consume', etcd.url, 10)
  for (const process of [...fleet, consumers]) await process.call('arm')
  await etcd.kill()
  await pause(14_000)
  await etcd.restart()
  const after500 = await allBack(fleet, now() - 300)
  tell('500 nodes registered again after etcd answers', 'ms', after500)
  checks.push(check('500 nodes registered again, max ms', Math.max(...after500), '<= 10000'))
  await pause(12_000)
  flaps += await consumers.call('flaps')
  checks.push(check('nodes seen to leave over all restarts of etcd', flaps, '<= 0'))

  // Somebody ends all leases while etcd is there.
  for (const process of fleet) await process.call('arm')
  const { Etcd3 } = await import('etcd3')
  const admin = new Etcd3({ hosts: etcd.url })
  const { leases } = await admin.leaseClient.leaseLeases()
  await Promise.all(leases.map(({ ID }) => admin.leaseClient.leaseRevoke({ ID })))
  const from = now()
  const perSecond: number[] = []
  let last = await handled(etcd.url)
  let written: number[] = []
  while (written.length < 500) {
    await pause(1000 - ((now() - from) % 1000))
    const next = await handled(etcd.url)
    const count = (method: string) => (next[method] ?? 0) - (last[method] ?? 0)
    perSecond.push(count('LeaseGrant') + count('Txn'))
    last = next
    written = (await Promise.all(fleet.map((process) => process.call('written')))).flat()
  }
  admin.close()
  tell(
    '500 leases ended together, registered again',
    'ms',
    written.map((at) => at - from),
  )
  tell('500 leases ended together, grants and writes in a second', 'requests', perSecond)
  checks.push(
    check('requests per second of 500 that register again', Math.max(...perSecond), '<= 200'),
  )
  for (const process of [...fleet, consumers]) process.end()
}

const parts = [changes, outages, rollingRestart]
const named = parts.filter(({ name }) => process.argv.includes(name))
for (const part of named.length > 0 ? named : parts) {
  await part().catch((error: unknown) => {
    console.error(error)
    checks.push(check(`${part.name} went to its end`, 0, '>= 1'))
  })
}
report('discovery', rows, checks)
// Processes of a part that failed would keep this one.
process.exit()
