import { seededRandom, SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { LeaseSession } from '../src/lease-session.ts'
import { silentLogger } from '../src/logger.ts'
import { MemoryBackend } from '../src/memory-backend.ts'

const failure = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)

const TTL_MS = 3000
const MARGIN_MS = 300

async function make({ seed = 1, start = true } = {}) {
  const clock = new SteppedClock({ startMs: 500 })
  const store = new MemoryBackend({ clock })
  const link = store.client()
  const events: string[] = []
  const session = new LeaseSession({
    backend: link,
    ttlSeconds: TTL_MS / 1000,
    fenceMarginMs: MARGIN_MS,
    callTimeoutMs: 3000,
    clock,
    random: seededRandom(seed),
    logger: silentLogger,
    fleet: () => 0,
    missing: () => 0,
    onLive: (lease, renewed, before) =>
      events.push(`live ${lease} ${renewed ? 'renewed' : 'new'} after ${before}`),
    onSuspect: () => events.push('suspect'),
    onLost: (_lease, reason) => events.push(`lost ${reason}`),
    onGone: (lease) => events.push(`gone ${lease}`),
    onAcknowledged: () => {},
  })
  if (start) await session.start(3000)
  const atServer = async () => (await store.leaseStatus('1')).ttlSeconds > -1
  return { clock, store, link, session, events, atServer }
}

describe('LeaseSession', () => {
  it('has none before the start, is live after it and stays so', async () => {
    const { clock, session, events } = await make({ start: false })
    expect(session).toMatchObject({ state: 'none', heldUntil: 0, held: undefined })
    await session.start(3000)
    expect(session.state).toBe('live')
    for (let i = 0; i < 1000; i++) {
      await clock.advance(100)
      expect(session.state).toBe('live')
      expect(session.heldUntil).toBeGreaterThan(clock.now())
    }
    expect(events).toEqual(['live 1 new after none'])
  })

  it('counts from when the acknowledged keepalive was sent, not from its answer', async () => {
    const { clock, link, session } = await make()
    const until = session.heldUntil
    expect(until).toBe(clock.now() + TTL_MS - MARGIN_MS)
    // The next keepalive reaches the store and its answer is lost: it proves nothing.
    link.setFault('mute')
    await clock.advance(1500)
    expect(session.heldUntil).toBe(until)
    link.setFault(undefined)
    link.setLatency(600)
    let sentAt = 0
    const keepAlive = link.keepAlive.bind(link)
    link.keepAlive = (lease, options) => {
      sentAt = clock.now()
      return keepAlive(lease, options)
    }
    await clock.runUntil(() => session.heldUntil > until)
    expect(clock.now()).toBe(sentAt + 600)
    expect(session.heldUntil).toBe(sentAt + TTL_MS - MARGIN_MS)
  })

  it('is suspect after half its time without an answer, then gives the lease up before the store does', async () => {
    const { clock, link, session, events, atServer } = await make()
    link.setFault('hang')
    await clock.advance(TTL_MS / 2 - 1)
    expect(session.state).toBe('live')
    await clock.advance(1)
    expect(session.state).toBe('suspect')
    await clock.advance(TTL_MS / 2 - MARGIN_MS - 1)
    expect(session.held).toBe('1')
    await clock.advance(1)
    expect(session).toMatchObject({ state: 'lost', heldUntil: 0, held: undefined, tenure: 1 })
    expect(await atServer()).toBe(true)
    expect(events).toEqual(['live 1 new after none', 'suspect', 'lost fenced'])
  })

  it('is live again after a short silence, with nothing lost', async () => {
    const { clock, link, session, events } = await make()
    link.setFault('hang')
    await clock.advance(1600)
    link.setFault(undefined)
    await clock.advance(1000)
    expect(session.state).toBe('live')
    expect(events).toEqual(['live 1 new after none', 'suspect', 'live 1 renewed after suspect'])
  })

  it('takes the same lease back when the store still has it after a long outage', async () => {
    const { clock, store, session, events } = await make()
    store.setAvailable(false)
    await clock.advance(60 * 60_000)
    expect(session.state).toBe('lost')
    store.setAvailable(true)
    await clock.advance(1000)
    expect(session).toMatchObject({ state: 'live', held: '1', tenure: 1 })
    expect(events.slice(2)).toEqual(['lost fenced', 'live 1 renewed after lost'])
  })

  it('gets a new lease when the old one ended, however long that took', async () => {
    const { clock, link, session, events } = await make()
    link.setAvailable(false)
    await clock.advance(60 * 60_000)
    link.setAvailable(true)
    await clock.advance(1000)
    expect(session.held).toBe('2')
    expect(events.slice(2)).toEqual(['lost fenced', 'gone 1', 'live 2 new after lost'])
  })

  it('hears of a revoked lease at the next keepalive and gets a new one at once', async () => {
    const { clock, store, session, events } = await make()
    store.expireLease('1')
    await clock.advance(TTL_MS / 3 + TTL_MS / 10)
    expect(session.held).toBe('2')
    expect(events.slice(1)).toEqual(['lost gone', 'gone 1', 'live 2 new after lost'])
  })

  it('does not wait for the keepalive when a call hears that the lease is gone', async () => {
    const { clock, store, session } = await make()
    store.expireLease('1')
    session.reportGone('7')
    expect(session.state).toBe('live')
    session.reportGone('1')
    expect(session.state).toBe('lost')
    await clock.settle()
    expect(session.held).toBe('2')
  })

  it('knows at once that it lost the lease when the process was stopped for two TTLs', async () => {
    const { clock, session, events } = await make()
    await clock.advance(700)
    const before = session.tenure
    clock.suspend(2 * TTL_MS)
    // No timer has run yet: the clock alone must say so.
    expect(session.state).toBe('lost')
    expect(session.held).toBeUndefined()
    await clock.settle()
    expect(session.tenure).toBe(before + 1)
    await clock.advance(1000)
    expect(session.held).toBe('2')
    expect(events.slice(1)).toEqual(['lost gone', 'gone 1', 'live 2 new after lost'])
  })

  it('tells of the loss before it is live again when it slept through it', async () => {
    const { clock, store, session, events } = await make()
    // The store sleeps too, so the very same lease is there when both wake.
    clock.suspend(900)
    store.setAvailable(false)
    clock.suspend(2 * TTL_MS)
    store.setAvailable(true)
    await clock.advance(1000)
    expect(session.held).toBe('1')
    expect(events.filter((event) => event !== 'suspect')).toEqual([
      'live 1 new after none',
      'lost fenced',
      'live 1 renewed after lost',
    ])
  })

  it('does not notice the wall clock jumping', async () => {
    const { clock, session, events } = await make()
    for (const hours of [1, -2, 1]) {
      clock.jumpWall(hours * 3_600_000)
      await clock.advance(TTL_MS)
    }
    expect(session.state).toBe('live')
    expect(events).toHaveLength(1)
  })

  it('never believes in a lease that the store has ended, whatever happens to the link', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { clock, store, link, session } = await make({ seed })
      const random = seededRandom(seed)
      for (let i = 0; i < 120; i++) {
        const fault = random.pick(['refuse', 'hang', 'mute', undefined, undefined] as const)
        link.setFault(fault)
        link.setLatency(random.pick([0, 0, 10, 300, 700]))
        if (random.chance(0.05)) clock.suspend(random.int(2 * TTL_MS))
        await clock.advance(random.int(1500))
        const lease = session.held
        if (lease === undefined) continue
        const left = (await store.leaseStatus(lease)).ttlSeconds
        expect(left, `seed ${seed}, step ${i}`).toBeGreaterThanOrEqual(0)
      }
      link.setFault(undefined)
      link.setLatency(0)
      await clock.advance(5000)
      expect(session.state, `seed ${seed}`).toBe('live')
      await session.stop(100)
    }
  })

  it('tries for its time to start, then fails and leaves nothing running', async () => {
    const { clock, store, session } = await make({ start: false })
    store.setAvailable(false)
    const before = clock.now()
    const failed = failure(session.start(3000))
    await clock.advance(3000)
    expect(await failed).toMatchObject({
      code: 'DISCOVERY_UNAVAILABLE',
    })
    expect(clock.now()).toBe(before + 3000)
    expect(clock.pending).toBe(0)
    expect(session.state).toBe('none')
    store.setAvailable(true)
    await session.start(3000)
    expect(session.state).toBe('live')
  })

  it('starts as soon as the backend answers, within its time', async () => {
    const { clock, store, session } = await make({ start: false })
    store.setAvailable(false)
    const started = session.start(3000)
    await clock.advance(2000)
    store.setAvailable(true)
    await clock.advance(900)
    await started
    expect(session.state).toBe('live')
  })

  it('gives up the start when its signal says so', async () => {
    const { clock, store, session } = await make({ start: false })
    store.setFault('hang')
    const abort = new AbortController()
    const reason = new Error('enough')
    const failed = failure(session.start(3000, abort.signal))
    await clock.advance(100)
    abort.abort(reason)
    await clock.settle()
    expect(await failed).toBe(reason)
    expect(clock.pending).toBe(0)
  })

  it('ends the lease when it stops, and waits for no backend that is away', async () => {
    const { clock, store, session, atServer } = await make()
    await session.stop(500)
    expect(await atServer()).toBe(false)
    expect(session).toMatchObject({ state: 'none', heldUntil: 0 })
    expect(clock.pending).toBe(0)

    const away = await make()
    away.store.setFault('hang')
    let isStopped = false
    void away.session.stop(500).then(() => (isStopped = true))
    await away.clock.advance(500)
    expect(isStopped).toBe(true)
    store.setFault(undefined)
  })

  it('beats at a third of the time to live, not in step with others', async () => {
    const beats: number[] = []
    for (const seed of [1, 2, 3]) {
      const { clock, link, session } = await make({ seed })
      const keepAlive = link.keepAlive.bind(link)
      link.keepAlive = (lease, options) => {
        beats.push(clock.now() - 500)
        return keepAlive(lease, options)
      }
      await clock.advance(TTL_MS / 3 + TTL_MS / 20)
      await session.stop(100)
    }
    expect(beats).toHaveLength(3)
    expect(new Set(beats).size).toBe(3)
    for (const beat of beats) expect(Math.abs(beat - TTL_MS / 3)).toBeLessThanOrEqual(TTL_MS / 30)
  })
})
