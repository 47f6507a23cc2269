import { setTimeout as pause } from 'node:timers/promises'
import { eventually, serviceBinary, timed } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { EtcdBackend, Registry, type EtcdBackendOptions } from '../src/index.ts'
import { systemClock } from '../src/clock.ts'
import { Field } from './etcd-field.ts'
import { EtcdMembers, startTlsEtcd } from './etcd-members.ts'
import { game } from './world.ts'

const make = (options: EtcdBackendOptions) =>
  new Registry(new EtcdBackend(options), { ttlSeconds: 5 })

describe
  .skipIf(!serviceBinary('etcd'))
  .concurrent('on etcd as operators run it', { timeout: 60_000 }, () => {
    it('goes on within three seconds when one of three members dies, be it the leader, and when it is back', async () => {
      await using members = await EtcdMembers.start(3)
      await using node = make({ hosts: members.urls })
      await using watcher = make({ hosts: members.urls })
      const registration = await node.register(game('game_1'))
      const outcome = await node.claim('k', 'game_1')
      if (!outcome.claimed) throw new Error('not claimed')
      const directory = watcher.watch('game')
      await directory.ready()
      let flaps = 0
      directory.on('leave', () => flaps++)
      let failedPicks = 0
      const picking = setInterval(() => {
        if (!directory.pick()) failedPicks++
      }, 5)
      for (const which of ['leader', 'follower', 'leader'] as const) {
        const leader = await members.leader()
        const dying = which === 'leader' ? leader : members.all.find((each) => each !== leader)!
        const load = Math.random()
        await dying.kill()
        // Nothing that was asked of it is lost, and it needs nobody's hand.
        void registration.update({ load }).catch(() => {})
        const { ownMs } = await timed(() =>
          eventually(() => directory.get('game_1')?.meta?.['load'] === load, { timeoutMs: 8000 }),
        )
        expect(ownMs).toBeLessThan(3000)
        await dying.restart()
      }
      clearInterval(picking)
      expect({ flaps, failedPicks }).toEqual({ flaps: 0, failedPicks: 0 })
      expect(outcome.claim.signal.aborted).toBe(false)
      expect(registration.isRegistered).toBe(true)
    })

    it('waits out the loss of the majority, and is there again when one is back', async () => {
      await using members = await EtcdMembers.start(3)
      await using node = make({ hosts: members.urls })
      await using watcher = make({ hosts: members.urls })
      const registration = await node.register(game('game_1'))
      const directory = watcher.watch('game')
      await directory.ready()
      const outcome = await node.claim('k', 'game_1')
      if (!outcome.claimed) throw new Error('not claimed')
      const left: string[] = []
      directory.on('leave', ({ id }) => left.push(id))
      await Promise.all(members.all.slice(1).map((member) => member.kill()))
      const { ownMs } = await timed(() =>
        eventually(() => outcome.claim.signal.aborted, { timeoutMs: 8000 }),
      )
      expect(ownMs).toBeLessThan(5000)
      expect(directory.pick()?.id).toBe('game_1')
      await members.all[1]!.restart()
      await eventually(() => registration.isRegistered && !directory.stale, { timeoutMs: 8000 })
      await registration.update({ load: 1 })
      await eventually(() => directory.get('game_1')?.meta?.['load'] === 1)
      expect(left).toEqual([])
    })

    it('speaks TLS with a certificate of its own, and is refused without', async () => {
      await using tlsEtcd = await startTlsEtcd()
      const { url: hosts, certificates, etcd } = tlsEtcd
      await using node = make({ hosts, tls: certificates })
      await using watcher = make({ hosts, tls: certificates })
      const registration = await node.register(game('game_1'))
      const directory = watcher.watch('game')
      await directory.ready()
      const { rootCertificate } = certificates
      for (const tls of [{ rootCertificate }, undefined]) {
        await using stranger = make(tls ? { hosts, tls } : { hosts })
        await expect(stranger.start()).rejects.toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' })
      }
      await etcd.kill()
      await etcd.restart()
      await eventually(() => registration.isRegistered && !directory.stale)
      await registration.update({ load: 1 })
      await eventually(() => directory.get('game_1')?.meta?.['load'] === 1)
    })

    it('goes on when its login runs out, also on streams that begin later', async () => {
      await using field = await Field.open(['--auth-token-ttl', '1'])
      const { admin, etcd } = field
      await admin.role('root').create()
      await admin.user('root').create('secret')
      await admin.user('root').addRole('root')
      const auth = { username: 'root', password: 'secret' }
      const proxy = await field.proxy()
      await admin.auth.authEnable()
      const node = field.registry({}, { auth, hosts: proxy.url('http') })
      const directory = field.registry({}, { auth, hosts: proxy.url('http') }).watch('game')
      const registration = await node.register(game('game_1'))
      await directory.ready()
      for (let load = 1; load <= 3; load++) {
        await pause(1500)
        if (load === 2) proxy.cut()
        if (load === 3) await etcd.restart()
        await registration.update({ load }).catch(() => {})
        await eventually(() => directory.get('game_1')?.meta?.['load'] === load, {
          timeoutMs: 8000,
        })
      }
      expect(registration.isRegistered).toBe(true)
    })

    it('ends every call in time on an etcd that hangs', async () => {
      await using field = await Field.open()
      const backend = new EtcdBackend({ hosts: field.etcd.url, callTimeoutMs: 700 })
      backend.open()
      const { id } = await backend.grantLease(60)
      await backend.keepAlive(id)
      field.etcd.pause()
      const calls = [
        () => backend.range({ key: 'k' }),
        () => backend.entryAt('k', 1),
        () => backend.transact({ when: [], then: [] }),
        () => backend.grantLease(5),
        () => backend.keepAlive(id),
        () => backend.leaseStatus(id),
        () => backend.revokeLease(id),
      ]
      for (const call of calls) {
        const { ownMs } = await timed(() =>
          expect(call()).rejects.toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' }),
        )
        expect(ownMs).toBeLessThan(1000)
      }
      const ended = Promise.withResolvers<string>()
      backend.watch({ key: 'k' }, 1, {
        onStart: () => {},
        onEvents: () => {},
        onEnd: ({ kind }) => ended.resolve(kind),
      })
      expect(await ended.promise).toBe('disconnected')
      await backend.close()
    })

    it('finds half-open links within four seconds when it is tuned to', async () => {
      await using field = await Field.open()
      const proxy = await field.proxy()
      const tuned = { hosts: proxy.url('http'), watchIdleMs: 1500, callTimeoutMs: 1500 }
      const node = field.registry()
      const directory = field.registry({ callTimeoutMs: 1500 }, tuned).watch('game')
      const registration = await node.register(game('game_1'))
      await directory.ready()
      await eventually(() => !directory.stale)
      for (const link of proxy.links) link.stall(true)
      const { ownMs } = await timed(async () => {
        await registration.update({ load: 1 })
        await eventually(() => directory.get('game_1')?.meta?.['load'] === 1, { timeoutMs: 8000 })
      })
      expect(ownMs).toBeLessThan(4000)
    })

    it('never fails a pick while etcd is away, for as long as that lasts', async () => {
      await using field = await Field.open()
      const [node, watcher] = [field.registry(), field.registry()]
      await node.register(game('game_1'))
      const directory = watcher.watch('game')
      await directory.ready()
      await field.etcd.kill()
      const until = systemClock.now() + 8000
      let picks = 0
      while (systemClock.now() < until || picks < 50_000) {
        for (let i = 0; i < 100; i++) expect(directory.pick()?.id).toBe('game_1')
        picks += 100
        await pause(5)
      }
      expect(directory.stale).toBe(true)
    })
  })
