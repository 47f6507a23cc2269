import { setTimeout as pause } from 'node:timers/promises'
import { EtcdProcess, eventually, serviceBinary, TcpFaultProxy } from '@rts/testing'
import { Etcd3 } from 'etcd3'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { Etcd3Subject, OurSubject, type Subject } from './etcd-subjects.ts'

const TTL_SECONDS = 2
const TTL_MS = TTL_SECONDS * 1000
const KEY = '/default/nodes/game/a'
const make = {
  ours: (hosts: string): Subject => new OurSubject(hosts, TTL_SECONDS),
  etcd3: (hosts: string): Subject => new Etcd3Subject(hosts, TTL_SECONDS),
}

/** Where one script runs: an etcd, a proxy to it for the subject, and an operator. */
interface Stage {
  readonly etcd: EtcdProcess
  readonly proxy: TcpFaultProxy
  readonly admin: Etcd3
  /** Another client of the same kind, without a proxy. */
  another(): Subject
}

type Script<T> = (subject: Subject, stage: Stage) => Promise<T>

/** Runs a script with one of the clients, on an etcd of its own. */
async function on<T>(kind: keyof typeof make, script: Script<T>): Promise<T> {
  await using etcd = await EtcdProcess.start()
  await using proxy = await TcpFaultProxy.listen({
    target: { host: '127.0.0.1', port: etcd.port },
  })
  const admin = new Etcd3({ hosts: etcd.url })
  const others: Subject[] = []
  const add = (hosts: string) => {
    const subject = make[kind](hosts)
    others.push(subject)
    return subject
  }
  try {
    const another = () => add(etcd.url)
    return await script(add(proxy.url('http')), { etcd, proxy, admin, another })
  } finally {
    proxy.heal()
    await Promise.all(others.map((each) => each[Symbol.asyncDispose]()))
    admin.close()
  }
}

/** Runs the same script with both clients. */
async function both<T>(script: Script<T>): Promise<{ ours: T; etcd3: T }> {
  const [ours, etcd3] = await Promise.all([on('ours', script), on('etcd3', script)])
  return { ours, etcd3 }
}

/** Milliseconds until it holds, `Infinity` when that takes too long. */
async function within(timeoutMs: number, check: () => boolean): Promise<number> {
  const from = systemClock.now()
  await eventually(check, { timeoutMs }).catch(() => {})
  return check() ? systemClock.now() - from : Infinity
}
const isStored = async ({ admin }: Stage) => (await admin.get(KEY).string()) !== null

/** Whether it is entered when four TTLs are over, or soon after: a lease that came back with etcd is gone by then. */
async function endsStored(stage: Stage): Promise<boolean> {
  await pause(4 * TTL_MS)
  const check = async () => expect(await isStored(stage)).toBe(true)
  await eventually(check, { timeoutMs: TTL_MS }).catch(() => {})
  return isStored(stage)
}

async function revokeAll({ admin }: Stage): Promise<void> {
  const { leases } = await admin.leaseClient.leaseLeases()
  for (const { ID } of leases) await admin.leaseClient.leaseRevoke({ ID })
}

async function compact({ admin }: Stage): Promise<void> {
  const { header } = await admin.kv.range({ key: Buffer.from('/') })
  await admin.kv.compact({ revision: header.revision, physical: true })
}

/** Gives every watcher 5,000 changes to catch up with, over links that end after so many bytes. */
async function catchUp(subject: Subject, { proxy, admin }: Stage, cutAfter: readonly number[]) {
  const view = await subject.watch('/v/')
  await admin.put('/v/first').value('first')
  await eventually(() => view.heard.length === 1)
  await proxy.refuse(true)
  proxy.cut()
  for (let i = 0; i < 5000; i += 250) {
    const batch = Array.from({ length: 250 }, (_, j) => i + j)
    await Promise.all(batch.map((value) => admin.put(`/v/${value % 10}`).value(value)))
  }
  let links = 0
  proxy.onLink((link) => {
    const afterBytes = cutAfter[links++]
    if (afterBytes !== undefined) link.cut({ afterBytes, direction: 'toClient' })
  })
  await proxy.refuse(false)
  await within(6000, () => view.heard.length === 5001)
  await admin.put('/v/last').value('last')
  await within(3000, () => view.entries.has('/v/last'))
  return { lost: 5002 - new Set(view.heard).size, told: view.heard.length }
}

/** What etcd says around a cut differs from run to run, so etcd3 may be spared by one: it has to come through all. */
async function expectLostByEtcd3Alone(cuts: readonly (readonly number[])[]): Promise<void> {
  for (const cut of cuts) {
    const { ours, etcd3 } = await both((subject, stage) => catchUp(subject, stage, cut))
    expect(ours).toEqual({ lost: 0, told: 5002 })
    if (etcd3.lost > 0) return
  }
  expect.fail('etcd3 lost nothing')
}

describe
  .skipIf(!serviceBinary('etcd'))
  .concurrent('what was measured with etcd3', { timeout: 60_000 }, () => {
    it('etcd killed and back within the TTL: the key stays, with both', async () => {
      const outcome = await both(async (subject, stage) => {
        await subject.register('a')
        await stage.etcd.kill()
        await pause(500)
        await stage.etcd.restart()
        await pause(1.5 * TTL_MS)
        return { holds: subject.holds(), isStored: await isStored(stage) }
      })
      const kept = { holds: true, isStored: true }
      expect(outcome).toEqual({ ours: kept, etcd3: kept })
    })

    it('etcd killed for three TTLs: etcd3 says so after the lease is over, and never registers again', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        await subject.register('a')
        await stage.etcd.kill()
        const lostAfterMs = await within(3 * TTL_MS, () => !subject.holds())
        await pause(Math.max(0, 3 * TTL_MS - lostAfterMs))
        await stage.etcd.restart()
        return { lostAfterMs, isStored: await endsStored(stage) }
      })
      expect(ours.lostAfterMs).toBeLessThan(TTL_MS)
      expect(ours.isStored).toBe(true)
      expect(etcd3.lostAfterMs).toBeGreaterThan(TTL_MS)
      expect(etcd3.isStored).toBe(false)
    })

    it('etcd hung: a read of etcd3 hangs with it, its lease is lost late and its watch stays confident', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        await subject.register('a')
        const view = await subject.watch('/default/')
        stage.etcd.pause()
        const from = systemClock.now()
        let readMs = Infinity
        const settled = () => {
          readMs = systemClock.now() - from
        }
        subject.read().then(settled, settled)
        const lostAfterMs = await within(9500, () => !subject.holds())
        await pause(Math.max(0, 9500 - lostAfterMs))
        const told = { lostAfterMs, readMs, isFresh: view.isFresh() }
        stage.etcd.resume()
        return { ...told, isStored: await endsStored(stage) }
      })
      expect(ours.lostAfterMs).toBeLessThan(TTL_MS)
      expect(ours.readMs).toBeLessThan(3300)
      expect(ours).toMatchObject({ isFresh: false, isStored: true })
      expect(etcd3.lostAfterMs).toBeGreaterThan(TTL_MS)
      expect(etcd3).toMatchObject({ readMs: Infinity, isFresh: true, isStored: false })
    })

    it('links half open: the watch of etcd3 never hears again', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        await subject.register('a')
        const view = await subject.watch('/v/')
        for (const link of stage.proxy.links) link.stall(true)
        // New links are well again, as after a router forgot the old ones.
        await stage.admin.put('/v/new').value('new')
        // Eight seconds are the bar of `etcd-faults.services.test.ts`; here a dozen scripts run at once.
        const heardAfterMs = await within(20_000, () => view.entries.has('/v/new'))
        return { heardAfterMs, isStored: await endsStored(stage) }
      })
      expect(ours.isStored).toBe(true)
      expect(ours.heardAfterMs).toBeLessThan(20_000)
      expect(etcd3).toMatchObject({ heardAfterMs: Infinity })
    })

    it('cut off from etcd: etcd3 believes in its lease for longer than the server has it', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        await subject.register('a')
        stage.proxy.stall(true)
        let goneAfterMs = Infinity
        const from = systemClock.now()
        const watching = eventually(async () => expect(await isStored(stage)).toBe(false))
        void watching.then(() => (goneAfterMs = systemClock.now() - from))
        const lostAfterMs = await within(4 * TTL_MS, () => !subject.holds())
        await watching
        return { lostAfterMs, goneAfterMs }
      })
      expect(ours.lostAfterMs).toBeLessThan(ours.goneAfterMs)
      expect(ours.lostAfterMs).toBeLessThan(TTL_MS)
      expect(etcd3.lostAfterMs).toBeGreaterThan(etcd3.goneAfterMs)
    })

    it('reset as the watch is accepted again: etcd3 loses every change that was pending', async () => {
      const cuts = [600, 400, 800, 300, 1000].map((afterBytes) => [afterBytes, afterBytes])
      await expectLostByEtcd3Alone(cuts)
    })

    it('reset among the first changes: etcd3 loses those that had not come yet', async () => {
      const cuts = [30_000, 20_000, 40_000].map((first) => [first, 30_000, 60_000, 90_000])
      await expectLostByEtcd3Alone(cuts)
    })

    it('compaction while disconnected: the watcher of etcd3 is dead', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        const { proxy, admin } = stage
        await admin.put('/v/gone').value('x')
        const view = await subject.watch('/v/')
        await admin.put('/v/seen').value('x')
        await eventually(() => view.entries.has('/v/seen'))
        await proxy.refuse(true)
        proxy.cut()
        await admin.delete().key('/v/gone')
        await admin.put('/v/missed').value('x')
        await admin.put('/noise').value('x')
        await compact(stage)
        await proxy.refuse(false)
        await within(4000, () => view.entries.has('/v/missed'))
        await admin.put('/v/after').value('x')
        await within(4000, () => view.entries.has('/v/after'))
        return [...view.entries.keys()].sort()
      })
      expect(ours).toEqual(['/v/after', '/v/missed', '/v/seen'])
      expect(etcd3).not.toContain('/v/after')
    })

    it('key deleted by hand: etcd3 keeps its lease alive and never looks', async () => {
      const outcome = await both(async (subject, stage) => {
        await subject.register('a')
        await stage.admin.delete().key(KEY)
        const stored = await endsStored(stage)
        return { holds: subject.holds(), isStored: stored }
      })
      expect(outcome).toEqual({
        ours: { holds: true, isStored: true },
        etcd3: { holds: true, isStored: false },
      })
    })

    it('lease revoked by an operator: etcd3 says lost and leaves it at that', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        await subject.register('a')
        await revokeAll(stage)
        const stored = await endsStored(stage)
        return { holds: subject.holds(), isStored: stored }
      })
      expect(ours).toEqual({ holds: true, isStored: true })
      expect(etcd3).toEqual({ holds: false, isStored: false })
    })

    it('a leader that is cut off: with etcd3 two lead at a time', async () => {
      const { ours, etcd3 } = await both(async (subject, stage) => {
        const [first, second] = [subject.campaign('master'), stage.another()]
        await eventually(first)
        const leads = [first, second.campaign('master')]
        let most = 0
        const sampling = setInterval(() => {
          most = Math.max(most, leads.filter((each) => each()).length)
        }, 10)
        stage.proxy.stall(true)
        await pause(3 * TTL_MS)
        await within(4 * TTL_MS, leads[1]!)
        clearInterval(sampling)
        return { most, followerLeads: leads[1]!() }
      })
      expect(ours).toEqual({ most: 1, followerLeads: true })
      expect(etcd3).toEqual({ most: 2, followerLeads: true })
    })
  })

// Alone: they set the wall clock of the whole process.
describe.skipIf(!serviceBinary('etcd'))('a wall clock that jumps', () => {
  it.for([3_600_000, -3_600_000])(
    'by %i ms and a reset: etcd3 gives its lease up, or keeps what it lost',
    async (jumpMs) => {
      const wall = Date.now.bind(Date)
      try {
        const script = async (subject: Subject, stage: Stage) => {
          Date.now = wall
          await subject.register('a')
          const jump = () => {
            Date.now = () => wall() + jumpMs
          }
          if (jumpMs > 0) jump()
          stage.proxy.cut()
          await pause(1000)
          const holds = subject.holds()
          await stage.proxy.refuse(true)
          stage.proxy.cut()
          if (jumpMs < 0) jump()
          const lostAfterMs = await within(3 * TTL_MS, () => !subject.holds())
          return { holds, lostAfterMs }
        }
        // In turn, since they share the clock.
        const ours = await on('ours', script)
        const etcd3 = await on('etcd3', script)
        expect(ours.holds).toBe(true)
        expect(ours.lostAfterMs).toBeLessThan(TTL_MS)
        // Ahead it gives a good lease up; behind it believes for an hour in one that is over.
        if (jumpMs > 0) expect(etcd3.holds).toBe(false)
        else expect(etcd3.lostAfterMs).toBe(Infinity)
      } finally {
        Date.now = wall
      }
    },
  )
})
