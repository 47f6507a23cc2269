import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { MemoryBackend } from '../src/index.ts'
import { itIsABackend } from './backend-conformance.ts'

const failure = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)

itIsABackend('MemoryBackend', async () => {
  const clock = new SteppedClock()
  const store = new MemoryBackend({ clock })
  return {
    connect: () => store.client(),
    until: (check) => clock.runUntil(check),
    pass: (ms) => clock.advance(ms),
    compact: async () => store.compact(),
    close: async () => {},
  }
})

function make() {
  const clock = new SteppedClock()
  const store = new MemoryBackend({ clock })
  return { clock, store }
}
const putA = { when: [], then: [{ kind: 'put', key: '/a', value: '1' }] } as const

function watch(backend: MemoryBackend, from = 2) {
  const heard: string[] = []
  backend.watch({ prefix: '/' }, from, {
    onStart: () => void heard.push('start'),
    onEvents: (events) => void heard.push(...events.map((event) => event.kind)),
    onEnd: (end) => void heard.push(end.kind),
  })
  return heard
}

describe('the faults of MemoryBackend', () => {
  it('refuses calls and ends watches at once when it is not available', async () => {
    const { clock, store } = make()
    const heard = watch(store)
    await clock.settle()
    store.setAvailable(false)
    await expect(store.transact(putA)).rejects.toMatchObject({
      code: 'DISCOVERY_UNAVAILABLE',
      executed: 'no',
    })
    await clock.settle()
    expect(heard).toEqual(['start', 'disconnected'])
    expect(watch(store)).toEqual([])
    store.setAvailable(true)
    expect((await store.range({ prefix: '/' })).entries).toEqual([])
  })

  it('does nothing and answers nothing while it hangs, and tells watches later', async () => {
    const { clock, store } = make()
    const broken = store.client()
    const heard = watch(broken)
    await clock.settle()
    broken.setFault('hang')
    const failed = failure(broken.transact(putA, { timeoutMs: 500 }))
    await store.transact(putA)
    await clock.advance(500)
    expect(await failed).toMatchObject({
      code: 'DISCOVERY_UNAVAILABLE',
      executed: 'maybe',
    })
    expect(heard).toEqual(['start'])
    broken.setFault(undefined)
    await clock.settle()
    expect(heard).toEqual(['start', 'put'])
  })

  it('does what it is asked and answers nothing while it is mute', async () => {
    const { clock, store } = make()
    const broken = store.client()
    broken.setFault('mute')
    const failed = failure(broken.transact(putA, { timeoutMs: 500 }))
    expect((await store.range({ key: '/a' })).entries).toHaveLength(1)
    await clock.advance(500)
    expect(await failed).toMatchObject({
      executed: 'maybe',
    })
  })

  it('breaks one connection and leaves the others', async () => {
    const { clock, store } = make()
    const [broken, whole] = [store.client(), store.client()]
    const heard = watch(whole)
    broken.setAvailable(false)
    await whole.transact(putA)
    await clock.settle()
    expect(heard).toEqual(['start', 'put'])
    store.setAvailable(false)
    expect(whole.fault).toBe('refuse')
  })

  it('gives every lease its whole time again after the store was down, as etcd does', async () => {
    const { clock, store } = make()
    const { id } = await store.grantLease(3)
    await clock.advance(2000)
    store.setAvailable(false)
    await clock.advance(60_000)
    store.setAvailable(true)
    await clock.advance(2999)
    expect((await store.leaseStatus(id)).ttlSeconds).toBe(0)
    expect(await store.keepAlive(id)).toBe(3)
    await clock.advance(3000)
    expect(await store.keepAlive(id)).toBe(0)
  })

  it('lets leases end while only the connection of their owner is broken', async () => {
    const { clock, store } = make()
    const broken = store.client()
    const { id } = await broken.grantLease(3)
    broken.setFault('hang')
    await clock.advance(3000)
    broken.setFault(undefined)
    expect(await broken.keepAlive(id)).toBe(0)
  })

  it('drops watches with what they had not heard yet', async () => {
    const { clock, store } = make()
    const heard = watch(store)
    await clock.settle()
    void store.transact(putA)
    store.dropWatches()
    await clock.settle()
    expect(heard).toEqual(['start', 'disconnected'])
  })

  it('ends a lease on demand and comes back empty when it is wiped', async () => {
    const { clock, store } = make()
    const { id } = await store.grantLease(60)
    await store.transact({ when: [], then: [{ kind: 'put', key: '/b', value: '1', lease: id }] })
    await store.transact(putA)
    store.expireLease(id)
    expect((await store.range({ prefix: '/' })).entries).toHaveLength(1)
    store.wipe()
    expect(await store.range({ prefix: '/' })).toEqual({ revision: 1, entries: [] })
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('begins to count where it is told, so that fences grow over restarts', async () => {
    const { clock, store } = make()
    const later = new MemoryBackend({ clock, firstRevision: 1_000_000 })
    expect((await store.transact(putA)).revision).toBe(2)
    expect((await later.transact(putA)).revision).toBe(1_000_001)
    const heard = watch(later, 1_000_001)
    expect(watch(later, 2)).toEqual([])
    await clock.settle()
    expect(heard).toEqual(['start', 'put'])
    for (const firstRevision of [0, 1.5, Number.NaN]) {
      expect(() => new MemoryBackend({ firstRevision })).toThrow(/firstRevision .* got/)
    }
  })

  it('forgets old history by itself, so it cannot grow for ever', async () => {
    const { clock, store } = make()
    for (let i = 0; i < 11_000; i++) void store.transact(putA)
    const heard = watch(store, 2)
    await clock.settle()
    expect(heard).toEqual(['compacted'])
  })
})
