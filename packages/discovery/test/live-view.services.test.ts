import { setTimeout as pause } from 'node:timers/promises'
import { EtcdProcess, eventually, seededRandom, serviceBinary, TcpFaultProxy } from '@rts/testing'
import { Etcd3 } from 'etcd3'
import { describe, expect, it } from 'vitest'
import { EtcdBackend, type KeyValue } from '../src/index.ts'
import { systemClock } from '../src/clock.ts'
import { LiveView } from '../src/live-view.ts'
import { silentLogger } from '../src/logger.ts'
import { systemRandom } from '../src/random.ts'

async function open() {
  const etcd = await EtcdProcess.start()
  const proxy = await TcpFaultProxy.listen({ target: { host: '127.0.0.1', port: etcd.port } })
  const admin = new Etcd3({ hosts: etcd.url })
  const backend = new EtcdBackend({ hosts: proxy.url('http') })
  const heard: string[] = []
  const told = new Map<string, KeyValue>()
  backend.open()
  const view = new LiveView({
    backend,
    range: { prefix: '/v/' },
    callTimeoutMs: 3000,
    auditIntervalMs: 300_000,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    onChange(before, after) {
      const { key } = (after ?? before)!
      heard.push(after ? after.value : `-${key}`)
      if (after) told.set(key, after)
      else told.delete(key)
    },
    onFresh: () => {},
    onInterrupted: () => {},
    onListed: () => {},
  })
  await eventually(() => view.isFresh)
  return {
    etcd,
    proxy,
    admin,
    view,
    heard,
    told,
    async [Symbol.asyncDispose]() {
      view.close()
      await backend.close()
      admin.close()
      await proxy.close()
      await etcd.stop()
    },
  }
}

describe.skipIf(!serviceBinary('etcd')).concurrent('LiveView on etcd', { timeout: 60_000 }, () => {
  it('hears every change once and in order though it is cut off again and again while it catches up', async () => {
    await using field = await open()
    const { proxy, admin, view, heard } = field
    const count = 3000
    await admin.put('/v/0').value('before')
    await eventually(() => heard.length === 1)
    heard.length = 0
    await proxy.refuse(true)
    proxy.cut()
    await eventually(() => !view.isFresh)
    for (let i = 0; i < count; i += 100) {
      const batch = Array.from({ length: 100 }, (_, j) => i + j)
      // One key for each value: what arrives in the wrong order or not at all shows.
      await Promise.all(batch.map((value) => admin.put(`/v/${value % 7}`).value(value)))
    }
    const truth = await admin.getAll().prefix('/v/').strings()
    let links = 0
    const undo = proxy.onLink((link) => {
      links++
      // Every link dies a little later in the stream than the one before it: in the greeting, in the first
      // thousand changes, between the first and the second.
      if (links <= 12) link.cut({ afterBytes: 20 + links * 5000, direction: 'toClient' })
      link.slice(links % 2 === 0 ? 700 : 0)
    })
    await proxy.refuse(false)
    await eventually(() => heard.length >= count, { timeoutMs: 30_000 })
    undo()
    await eventually(() => view.isFresh)
    expect(links).toBeGreaterThan(6)
    expect(heard).toHaveLength(count)
    expect(new Set(heard).size).toBe(count)
    expect(view.listCount).toBe(1)
    for (const [key, value] of Object.entries(truth)) {
      expect(view.entries.get(key)?.value).toBe(value)
    }
  })

  it.for([1, 2, 3])('agrees with a fresh read after a random history (seed %i)', async (seed) => {
    await using field = await open()
    const { etcd, proxy, view, told } = field
    const random = seededRandom(seed)
    const admin = new Etcd3({ hosts: etcd.url })
    for (let step = 0; step < 60; step++) {
      const fault = random.int(12)
      if (fault === 0) proxy.cut({ afterBytes: random.int(400) })
      else if (fault === 1) await proxy.refuse(random.chance(0.5))
      else if (fault === 2) proxy.stall(random.chance(0.5))
      else if (fault === 3) proxy.slice(random.int(50))
      else if (fault === 4 && random.chance(0.3)) {
        await etcd.kill()
        await etcd.restart()
      } else if (fault === 5) {
        etcd.pause()
        await pause(random.int(300))
        etcd.resume()
      } else if (fault === 6) {
        const { header } = await admin.kv.range({ key: Buffer.from('/') })
        await admin.kv.compact({ revision: header.revision }).catch(() => {})
      }
      for (let i = 0; i < 5; i++) {
        const key = `/v/${random.int(8)}`
        await eventually(async () => {
          if (random.chance(0.7)) await admin.put(key).value(step * 10 + i)
          else await admin.delete().key(key)
          return true
        })
      }
      await pause(random.int(40))
    }
    await proxy.refuse(false)
    proxy.heal()
    const { kvs } = await admin.getAll().prefix('/v/').exec()
    const truth = kvs.map((each) => [each.key.toString(), each.value.toString()]).sort()
    await eventually(
      () => {
        expect(view.isFresh).toBe(true)
        for (const map of [view.entries, told]) {
          expect([...map.values()].map((each) => [each.key, each.value]).sort()).toEqual(truth)
        }
      },
      { timeoutMs: 12_000 },
    )
    admin.close()
  })
})
