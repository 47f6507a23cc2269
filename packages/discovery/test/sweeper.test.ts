import { seededRandom, SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { LeaseSession } from '../src/lease-session.ts'
import { silentLogger } from '../src/logger.ts'
import { MemoryBackend } from '../src/memory-backend.ts'
import { Sweeper } from '../src/sweeper.ts'

async function make() {
  const clock = new SteppedClock()
  const store = new MemoryBackend({ clock })
  const link = store.client()
  const { id: lease } = await store.grantLease(3600)
  const session = { held: lease as string | undefined }
  const sweeper = new Sweeper({
    backend: link,
    session: session as LeaseSession,
    callTimeoutMs: 1000,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
  })
  const put = async (key: string, of = lease) =>
    (await store.transact({ when: [], then: [{ kind: 'put', key, value: 'x', lease: of }] }))
      .revision
  const keys = async () => (await store.range({ prefix: '' })).entries.map((entry) => entry.key)
  return { clock, store, link, session, sweeper, put, keys }
}

describe('Sweeper', () => {
  it('removes what is unwanted under the own lease, and nothing else', async () => {
    const { clock, store, sweeper, put, keys } = await make()
    const { id: other } = await store.grantLease(3600)
    const old = await put('/replaced')
    await store.transact({ when: [], then: [{ kind: 'delete', key: '/replaced' }] })
    for (const key of ['/mine', '/replaced', '/wanted']) await put(key)
    await put('/theirs', other)
    sweeper.add('/mine')
    sweeper.add('/replaced', old)
    sweeper.add('/theirs')
    sweeper.add('/absent')
    await clock.advance(5000)
    expect(await keys()).toEqual(['/replaced', '/theirs', '/wanted'])
    // The store's own timer for the leases.
    expect(clock.pending).toBe(1)
  })

  it('tries until the backend answers', async () => {
    const { clock, link, sweeper, put, keys } = await make()
    await put('/a')
    link.setFault('hang')
    sweeper.add('/a')
    await clock.advance(60_000)
    expect(sweeper.has('/a')).toBe(true)
    link.setFault(undefined)
    await clock.advance(3000)
    expect(await keys()).toEqual([])
    expect(sweeper.has('/a')).toBe(false)
  })

  it('waits while no lease is held, and forgets when the lease is gone', async () => {
    const { clock, session, sweeper, put, keys } = await make()
    await put('/a')
    const { held } = session
    session.held = undefined
    sweeper.add('/a')
    await clock.advance(10_000)
    expect(await keys()).toEqual(['/a'])
    session.held = held
    sweeper.wake()
    await clock.advance(200)
    expect(await keys()).toEqual([])
    sweeper.add('/b')
    sweeper.clear()
    // The store's own timer for the leases.
    expect(clock.pending).toBe(1)
  })

  it('does not hit what was made in place of the unwanted while its delete was on its way', async () => {
    const { clock, link, sweeper, put, keys, store } = await make()
    await put('/a')
    sweeper.add('/a')
    link.setLatency(100)
    const slow = sweeper.sweep('/a')
    await clock.advance(110)
    // The slow sweep has read the old one; now it goes and comes again, wanted.
    await store.transact({ when: [], then: [{ kind: 'delete', key: '/a' }] })
    await put('/a')
    await clock.advance(1000)
    await slow
    expect(await keys()).toEqual(['/a'])
  })
})
