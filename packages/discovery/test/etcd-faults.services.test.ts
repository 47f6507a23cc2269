import { setTimeout as pause } from 'node:timers/promises'
import { eventually, freePort, serviceBinary, timed } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { EtcdBackend, Registry, type Directory } from '../src/index.ts'
import { Field, TTL_SECONDS } from './etcd-field.ts'
import { game, ids } from './world.ts'

const TTL_MS = TTL_SECONDS * 1000

function listen(directory: Directory): string[] {
  const heard: string[] = []
  directory.on('join', (node) => heard.push(`join ${node.id}`))
  directory.on('leave', (node) => heard.push(`leave ${node.id}`))
  return heard
}
const isFresh = (directory: Directory) => () => !directory.stale

describe.skipIf(!serviceBinary('etcd')).concurrent('on a failing etcd', { timeout: 60_000 }, () => {
  it('nodes stay, and nobody sees a flicker, when etcd is killed and back within the TTL', async () => {
    await using field = await Field.open()
    // Long enough for a busy machine to start etcd in.
    const node = field.registry({ ttlSeconds: 10 })
    const watcher = field.registry()
    const registration = await node.register(game('game_1'))
    const claimed = await node.claim('k', 'game_1')
    const directory = watcher.watch('game')
    await directory.ready()
    const heard = listen(directory)
    await field.etcd.kill()
    await eventually(() => directory.stale)
    expect(directory.pick()?.id).toBe('game_1')
    await field.etcd.restart()
    await eventually(() => !directory.stale && node.lease.state === 'live')
    expect(heard).toEqual([])
    expect(registration.isRegistered).toBe(true)
    if (claimed.claimed) expect(claimed.claim.signal.aborted).toBe(false)
    // And the watch still works.
    await registration.update({ load: 1 })
    await eventually(() => directory.get('game_1')?.meta?.['load'] === 1)
  })

  it('nodes fence themselves within the TTL, and are back under the same lease, without a flicker', async () => {
    await using field = await Field.open()
    const [node, watcher] = [field.registry(), field.registry()]
    const registration = await node.register(game('game_1'))
    const outcome = await node.claim('k', 'game_1')
    if (!outcome.claimed) throw new Error('not claimed')
    const directory = watcher.watch('game')
    await directory.ready()
    const heard = listen(directory)
    const lives: boolean[] = []
    node.on('lease-live', ({ renewed }) => lives.push(renewed))
    await field.etcd.kill()
    const fencing = await timed(() => eventually(() => outcome.claim.signal.aborted))
    expect(fencing.ownMs).toBeLessThan(TTL_MS)
    expect(outcome.claim.heldUntil).toBe(0)
    await pause(TTL_MS)
    await field.etcd.restart()
    const back = await timed(() => eventually(() => registration.isRegistered && !directory.stale))
    expect(back.ownMs).toBeLessThan(1500)
    await pause(TTL_MS)
    expect(heard).toEqual([])
    expect(lives).toEqual([true])
    expect(await field.stored('/default/claims/')).toEqual({})
    const again = await watcher.claim('k', 'other')
    if (again.claimed) expect(again.claim.fence).toBeGreaterThan(outcome.claim.fence)
    expect(again.claimed).toBe(true)
  })

  it('everything is put back into an etcd that lost its data', async () => {
    await using field = await Field.open()
    const nodes = [field.registry(), field.registry(), field.registry()]
    for (const [i, node] of nodes.entries()) await node.register(game(`game_${i}`))
    for (let i = 0; i < 20; i++) await field.admin.put('/noise').value(String(i))
    const directory = field.registry().watch('game')
    await directory.ready({ count: 3 })
    const heard = listen(directory)
    await field.etcd.kill()
    await field.etcd.restart({ empty: true })
    await eventually(async () => {
      expect(Object.keys(await field.stored('/default/nodes/'))).toHaveLength(3)
      expect(directory.stale).toBe(false)
    })
    await pause(TTL_MS + 500)
    expect(heard).toEqual([])
    expect(ids(directory.nodes)).toEqual(['game_0', 'game_1', 'game_2'])
    await nodes[0]!.stop()
    await eventually(() => directory.nodes.length === 2)
  })

  it('a hung etcd is noticed: calls end, the view is stale, claims are over; then all is back', async () => {
    await using field = await Field.open()
    const [node, watcher] = [field.registry({ callTimeoutMs: 1000 }), field.registry()]
    const registration = await node.register(game('game_1'))
    const outcome = await node.claim('k', 'game_1')
    if (!outcome.claimed) throw new Error('not claimed')
    const directory = watcher.watch('game')
    await directory.ready()
    field.etcd.pause()
    const failing = await timed(() =>
      expect(node.holder('k')).rejects.toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' }),
    )
    expect(failing.ownMs).toBeLessThan(1500)
    const fencing = await timed(() => eventually(() => outcome.claim.signal.aborted))
    expect(failing.ownMs + fencing.ownMs).toBeLessThan(TTL_MS)
    const noticing = await timed(() => eventually(() => directory.stale, { timeoutMs: 12_000 }))
    expect(failing.ownMs + fencing.ownMs + noticing.ownMs).toBeLessThan(8000)
    expect(directory.pick()?.id).toBe('game_1')
    field.etcd.resume()
    await eventually(() => registration.isRegistered && !directory.stale)
    await eventually(async () => expect(Object.keys(await field.stored('/'))).toHaveLength(1))
    await pause(TTL_MS)
    expect(ids(directory.nodes)).toEqual(['game_1'])
  })

  it('a link on which nothing arrives any more is noticed and replaced', async () => {
    await using field = await Field.open()
    const proxy = await field.proxy()
    const [node, watcher] = [field.registry(), field.registry({}, { hosts: proxy.url('http') })]
    const registration = await node.register(game('game_1'))
    const directory = watcher.watch('game')
    await directory.ready()
    await eventually(() => !directory.stale)
    // Noticed and replaced is a matter of 30 ms, which a look now and then would miss.
    let wasStale = false
    directory.on('stale', (isStale) => {
      wasStale ||= isStale
    })
    for (const link of proxy.links) link.stall(true)
    const noticing = await timed(async () => {
      await registration.update({ load: 1 })
      await eventually(() => wasStale, { timeoutMs: 12_000 })
    })
    expect(noticing.ownMs).toBeLessThan(8000)
    await eventually(() => directory.get('game_1')?.meta?.['load'] === 1 && !directory.stale)
  })

  it('a key deleted or overwritten by hand is put back, a revoked lease replaced', async () => {
    await using field = await Field.open()
    const node = field.registry()
    const registration = await node.register(game('game_1'))
    const directory = field.registry().watch('game')
    await directory.ready()
    const key = '/default/nodes/game/game_1'
    const good = (await field.stored(key))[key]!
    await field.admin.delete().key(key)
    await eventually(async () => expect(await field.stored(key)).toEqual({ [key]: good }))
    await field.admin.put(key).value('rubbish')
    await eventually(async () => expect(await field.stored(key)).toEqual({ [key]: good }))
    const { leases } = await field.admin.leaseClient.leaseLeases()
    for (const { ID } of leases) await field.admin.leaseClient.leaseRevoke({ ID })
    await eventually(async () => expect(await field.stored(key)).toEqual({ [key]: good }))
    await eventually(() => registration.isRegistered)
    await eventually(() => ids(directory.nodes).join() === 'game_1')
  })

  it('a process that was stopped for two TTLs does nothing when it wakes, and its claim is another’s', async () => {
    await using field = await Field.open()
    const { child, said } = await field.process()
    child.kill('SIGSTOP')
    // It speaks every 10 ms until the signal has reached it.
    let before = 0
    await eventually(async () => {
      before = said().length
      await pause(200)
      return said().length === before
    })
    const other = field.registry()
    await eventually(async () => expect((await other.claim('root', 'me')).claimed).toBe(true), {
      timeoutMs: TTL_MS + 2000,
    })
    await pause(TTL_MS)
    child.kill('SIGCONT')
    await eventually(() => said().filter((line) => line === 'refused').length > 20)
    // What it had written before it was stopped may arrive late; after that nothing is an act.
    const after = said().slice(before)
    expect(after.filter((line) => line === 'act').length).toBeLessThanOrEqual(1)
    expect(after.lastIndexOf('act')).toBeLessThan(Math.max(1, after.indexOf('refused')))
    expect(after.filter((line) => line.startsWith('lost'))).toEqual(['lost DISCOVERY_LEASE_LOST'])
    // It is a node again; only the claim is gone.
    await other.watch('game').ready()
    expect(await other.holder('root')).toMatchObject({ value: 'me' })
  })

  it('a process that is killed leaves within its TTL and a second, and its successor takes the id', async () => {
    await using field = await Field.open()
    const { child } = await field.process()
    const registry = field.registry()
    const directory = registry.watch('game')
    await directory.ready()
    const { epoch } = directory.get('game_1')!
    child.kill('SIGKILL')
    const { result: registration, ownMs } = await timed(() => registry.register(game('game_1')))
    expect(ownMs).toBeLessThan(TTL_MS + 1000)
    expect(registration.record.epoch).not.toBe(epoch)
    await eventually(() => directory.get('game_1')?.epoch === registration.record.epoch)
  })

  it('a compaction while it was cut off costs a view nothing', async () => {
    await using field = await Field.open()
    const proxy = await field.proxy()
    const directory = field.registry({}, { hosts: proxy.url('http') }).watch('game')
    const nodes = field.registry({ removalGraceMs: 0 })
    const [left, kept] = [await nodes.register(game('a')), await nodes.register(game('b'))]
    await directory.ready({ count: 2 })
    await proxy.refuse(true)
    proxy.cut()
    await eventually(() => directory.stale)
    await left.leave()
    await kept.update({ load: 2 })
    await nodes.register(game('c'))
    for (let i = 0; i < 50; i++) await field.admin.put('/noise').value(String(i))
    const { header } = await field.admin.kv.range({ key: Buffer.from('/') })
    await field.admin.kv.compact({ revision: header.revision, physical: true })
    await proxy.refuse(false)
    await eventually(isFresh(directory))
    await eventually(() => ids(directory.nodes).join() === 'b,c', { timeoutMs: TTL_MS + 5000 })
    expect(directory.get('b')?.meta).toEqual({ load: 2 })
  })

  it('fails to start with a code and in time while nobody listens, and leaves nothing running', async () => {
    const hosts = `http://127.0.0.1:${await freePort()}`
    const registry = new Registry(new EtcdBackend({ hosts }), { connectTimeoutMs: 1000 })
    const { ownMs } = await timed(() =>
      expect(registry.start()).rejects.toMatchObject({ code: 'DISCOVERY_UNAVAILABLE' }),
    )
    expect(ownMs).toBeLessThan(1300)
    await registry.stop()
  })

  it('stops in time when etcd is gone or hangs', async () => {
    for (const end of ['kill', 'pause'] as const) {
      await using field = await Field.open()
      const registry = field.registry({ stopTimeoutMs: 1000 })
      await registry.register(game('game_1'))
      registry.watch('game')
      await field.etcd[end]()
      const { ownMs } = await timed(() => registry.stop())
      expect(ownMs).toBeLessThan(1300)
      field.etcd.resume()
    }
  })

  it('lives on when one of its members dies', async () => {
    await using field = await Field.open()
    const dead = `http://127.0.0.1:${await freePort()}`
    const hosts = [dead, field.etcd.url, dead]
    const [node, watcher] = [field.registry({}, { hosts }), field.registry({}, { hosts })]
    await node.register(game('game_1'))
    await watcher.watch('game').ready()
    for (let i = 0; i < 5; i++) {
      expect(await watcher.claim(`k${i}`, 'me')).toMatchObject({ claimed: true })
    }
  })

  it('logs in, again when its token has run out, and says so when it may not', async () => {
    await using field = await Field.open(['--auth-token-ttl', '2'])
    const { admin } = field
    const auth = { username: 'root', password: 'secret' }
    await admin.role('root').create()
    await admin.user('root').create('secret')
    await admin.user('root').addRole('root')
    await admin.auth.authEnable()
    const node = field.registry({}, { auth })
    const registration = await node.register(game('game_1'))
    const directory = field.registry({}, { auth }).watch('game')
    await directory.ready()
    for (const wrong of [undefined, { ...auth, password: 'guess' }]) {
      const refused = field.registry({}, wrong ? { auth: wrong } : {})
      await expect(refused.register(game('game_2'))).rejects.toMatchObject({
        code: 'DISCOVERY_DENIED',
      })
    }
    await pause(5000)
    await registration.update({ load: 1 })
    await eventually(() => directory.get('game_1')?.meta?.['load'] === 1)
    await field.etcd.kill()
    await field.etcd.restart()
    await eventually(() => registration.isRegistered && !directory.stale)
    await registration.update({ load: 2 })
    await eventually(() => directory.get('game_1')?.meta?.['load'] === 2)
  })
})
