import { SteppedClock, seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Saver, StoreError, type SaverOptions, type Trackable } from '../src/index.ts'
import { FaultyStore } from './faulty-store.ts'

class Avatar implements Trackable {
  readonly type = 'avatar'
  readonly id: string
  readonly version: number
  readonly fence: number
  gold = 0

  constructor(id: string, { version = 0, fence = 0 } = {}) {
    this.id = id
    this.version = version
    this.fence = fence
  }

  snapshot(): unknown {
    return { gold: this.gold }
  }
}

function setUp(options: SaverOptions = {}, seed = 1) {
  const clock = new SteppedClock()
  const store = new FaultyStore()
  const errors: string[] = []
  const fenced: string[] = []
  const saver = new Saver(store, {
    clock,
    random: seededRandom(seed),
    onError: (error, entities) => {
      const code = error instanceof StoreError ? error.code : error.message
      errors.push(`${code}: ${entities.map(({ id }) => id).join(' ')}`)
    },
    onFenced: ({ id }, fence) => fenced.push(`${id} by ${fence}`),
    ...options,
  })
  const track = (id: string, fields?: { version?: number; fence?: number }) => {
    const avatar = new Avatar(id, fields)
    return { avatar, tracked: saver.track(avatar) }
  }
  return { clock, store, saver, errors, fenced, track }
}

/** How a promise stands, without waiting for it. */
function watch(promise: Promise<unknown>) {
  const seen = { state: 'pending', error: undefined as unknown }
  promise.then(
    () => (seen.state = 'done'),
    (error: unknown) => Object.assign(seen, { state: 'failed', error }),
  )
  return seen
}

describe('the interval', () => {
  it('saves a change within it, without being asked', async () => {
    const { clock, store, track } = setUp()
    const { avatar, tracked } = track('ann')
    avatar.gold = 5
    tracked.markDirty()
    expect(tracked.isDirty).toBe(true)
    await clock.advance(8_000)
    expect(await store.dataOf('ann')).toEqual({ gold: 5 })
    expect(tracked).toMatchObject({ isDirty: false, version: 1, state: 'tracked' })
  })

  it('saves once for many changes, with what the entity is by then', async () => {
    const { clock, store, track } = setUp()
    const { avatar, tracked } = track('ann')
    for (let gold = 1; gold <= 100; gold += 1) {
      avatar.gold = gold
      tracked.markDirty()
    }
    await clock.advance(8_000)
    expect(store.batches).toEqual([['ann']])
    expect(await store.dataOf('ann')).toEqual({ gold: 100 })
  })

  it('saves nothing that did not change, and sets no timer', async () => {
    const { clock, store, track } = setUp()
    track('ann')
    expect(clock.pending).toBe(0)
    const { tracked } = track('bob')
    tracked.markDirty()
    await clock.advance(60_000)
    expect(store.batches).toEqual([['bob']])
    expect(clock.pending).toBe(0)
  })

  it('spreads entities that change together over it', async () => {
    const { clock, store, track } = setUp()
    const all = Array.from({ length: 160 }, (_, index) => track(`a${index}`).tracked)
    for (const tracked of all) tracked.markDirty()
    for (let second = 1; second <= 8; second += 1) {
      await clock.advance(1_000)
      const saved = store.batches.flat().length
      expect(saved).toBeGreaterThanOrEqual(20 * second - 10)
      expect(saved).toBeLessThanOrEqual(20 * second + 10)
    }
    expect(store.batches).toHaveLength(16)
    expect(new Set(store.batches.flat()).size).toBe(160)
  })

  it('keeps several savers out of step', async () => {
    const times = [1, 2, 3, 4].map(async (seed) => {
      const { clock, store, track } = setUp({}, seed)
      track('ann').tracked.markDirty()
      await clock.runUntil(() => store.batches.length > 0)
      return clock.now()
    })
    expect(new Set(await Promise.all(times)).size).toBe(4)
  })

  it('never waits longer than it says, at any phase', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer(),
        fc.integer({ min: 0, max: 50_000 }),
        fc.nat(20),
        async (intervalMs, seed, laterMs, others) => {
          const { clock, store, track } = setUp({ intervalMs }, seed)
          for (let index = 0; index < others; index += 1) track(`other${index}`)
          const { tracked } = track('ann')
          await clock.advance(laterMs)
          tracked.markDirty()
          // A little more, since binary fractions of the interval are not exact.
          await clock.advance(intervalMs + 0.001)
          expect(store.batches).toEqual([['ann']])
        },
      ),
      { numRuns: 100, seed: 31 },
    )
  })

  it('takes all turns it missed when the process was stopped for long', async () => {
    const { clock, store, track } = setUp()
    for (let index = 0; index < 40; index += 1) track(`a${index}`).tracked.markDirty()
    clock.suspend(100_000)
    await clock.settle()
    expect(new Set(store.batches.flat()).size).toBe(40)
  })
})

describe('batches', () => {
  it('hold as many entities as they may, one batch after the other', async () => {
    const { clock, store, saver, track } = setUp({ maxBatch: 3 })
    for (const id of 'abcdefg') track(id).tracked.markDirty()
    const flushed = watch(saver.flush())
    await clock.settle()
    expect(flushed.state).toBe('done')
    expect(store.batches.map((batch) => batch.length)).toEqual([3, 3, 1])
  })

  it('never hold an entity whose last save is still under way, and save its change afterwards', async () => {
    const { clock, store, track } = setUp()
    const gate = Promise.withResolvers<void>()
    store.before = () => gate.promise
    const { avatar, tracked } = track('ann')
    avatar.gold = 1
    tracked.markDirty()
    await clock.advance(8_000)
    avatar.gold = 2
    tracked.markDirty()
    const flushed = watch(tracked.flush({ timeoutMs: 60_000 }))
    await clock.advance(20_000)
    expect(store.batches).toEqual([['ann']])
    gate.resolve()
    await clock.settle()
    expect(flushed.state).toBe('done')
    expect(store.batches).toEqual([['ann'], ['ann']])
    expect(await store.dataOf('ann')).toEqual({ gold: 2 })
    expect(tracked.version).toBe(2)
  })

  it('leave an entity alone whose data cannot be saved, and try it again at its next turn', async () => {
    const { clock, store, saver, errors, track } = setUp()
    const { avatar, tracked } = track('bad')
    track('good').tracked.markDirty()
    avatar.snapshot = () => ({ run() {} })
    tracked.markDirty()
    const flushed = watch(saver.flush())
    await clock.settle()
    expect(flushed).toMatchObject({ state: 'failed', error: { code: 'STORE_VALUE' } })
    expect(await store.dataOf('good')).toEqual({ gold: 0 })
    expect(errors).toEqual(['STORE_VALUE: bad'])
    expect(tracked.isDirty).toBe(true)
    avatar.snapshot = () => 'better'
    await clock.advance(8_000)
    expect(await store.dataOf('bad')).toBe('better')
    expect(saver.stats()).toMatchObject({ refused: 1, saved: 2, dirty: 0 })
  })

  it('leave an entity alone whose snapshot throws, even when its error handler asks for more', async () => {
    const { clock, store, saver, track } = setUp({
      onError: () => void tracked.flush().catch(() => {}),
    })
    const { avatar, tracked } = track('bad')
    track('good').tracked.markDirty()
    let isBroken = true
    avatar.snapshot = () => {
      if (isBroken) throw new Error('no data')
      return 'better'
    }
    tracked.markDirty()
    const flushed = watch(saver.flush())
    // It is asked for again with each turn of the loop, never within one.
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
    isBroken = false
    await clock.settle()
    expect(flushed).toMatchObject({
      state: 'failed',
      error: { code: 'STORE_VALUE', message: 'the snapshot of avatar bad threw: no data' },
    })
    expect(await store.dataOf('good')).toEqual({ gold: 0 })
    expect(await store.dataOf('bad')).toBe('better')
  })
})

describe('a store that fails', () => {
  it('is tried again with growing pauses, reported each time, and loses nothing', async () => {
    const { clock, store, saver, errors, track } = setUp()
    const { avatar, tracked } = track('ann')
    store.fault = 'away'
    tracked.markDirty()
    const times: number[] = []
    store.before = () => times.push(clock.now())
    await clock.advance(60_000)
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    for (const [index, pause] of pauses.entries()) {
      const fullMs = Math.min(10_000, 100 * 2 ** index)
      expect(pause).toBeGreaterThanOrEqual(fullMs / 2)
      expect(pause).toBeLessThanOrEqual(fullMs)
    }
    expect(pauses.length).toBeGreaterThan(8)
    expect(errors).toEqual(times.map(() => 'away: ann'))
    expect(saver.stats()).toMatchObject({ dirty: 1, failedBatches: times.length })

    store.fault = undefined
    avatar.gold = 9
    await clock.advance(10_000)
    expect(await store.dataOf('ann')).toEqual({ gold: 9 })
    expect(tracked).toMatchObject({ isDirty: false, version: 1 })
  })

  it('does not get more tries because many callers flush', async () => {
    const { clock, store, track } = setUp()
    const { tracked } = track('ann')
    store.fault = 'away'
    tracked.markDirty()
    await clock.advance(30_000)
    store.batches.length = 0
    for (let call = 0; call < 100; call += 1) {
      watch(tracked.flush())
      await clock.advance(10)
    }
    expect(store.batches.length).toBeGreaterThan(1)
    expect(store.batches.length).toBeLessThan(11)
  })

  it('may have done what it reported as failed: with a fence the saver finds out and goes on', async () => {
    const { clock, store, errors, track } = setUp()
    const { avatar, tracked } = track('ann', { fence: 4 })
    store.fault = 'does it, but reports a failure'
    avatar.gold = 1
    tracked.markDirty()
    await clock.advance(8_000)
    expect(errors.length).toBeGreaterThan(0)
    store.fault = undefined
    avatar.gold = 2
    await clock.advance(10_000)
    expect(await store.dataOf('ann')).toEqual({ gold: 2 })
    expect(tracked).toMatchObject({ state: 'tracked', version: 2, isDirty: false })
  })

  it('does not mistake the save of another for its own', async () => {
    const { clock, store, errors, saver, track } = setUp()
    const { tracked } = track('ann')
    store.fault = 'does it, but reports a failure'
    tracked.markDirty()
    await clock.runUntil(() => errors.length > 0)
    store.fault = undefined
    await clock.advance(10_000)
    // Without a fence it could be anyone's.
    expect(tracked.state).toBe('conflicted')
    expect(errors.at(-1)).toBe('STORE_CONFLICT: ann')
    expect(saver.stats()).toMatchObject({ conflicts: 1, tracked: 0 })
  })

  it('is not suspected where no save of ours had failed: then the conflict is real', async () => {
    const { clock, store, errors, track } = setUp()
    const { tracked } = track('ann', { fence: 4 })
    tracked.markDirty()
    // The same owner, past the saver.
    await store.inner.save([{ type: 'avatar', id: 'ann', version: 0, fence: 4, data: 'bought' }])
    const flushed = watch(tracked.flush())
    await clock.settle()
    expect(flushed).toMatchObject({ state: 'failed', error: { code: 'STORE_CONFLICT' } })
    expect(errors).toEqual(['STORE_CONFLICT: ann'])
    expect(await store.dataOf('ann')).toBe('bought')
  })

  it('for one poisoned entity only does not hold up the others for long', async () => {
    const { clock, store, saver, track } = setUp({ intervalMs: 1_000 })
    store.before = (batch) => {
      if (batch.some(({ id }) => id === 'poison')) throw new Error('too large')
    }
    for (const id of ['poison', ...'abcdefghijklmnop']) track(id).tracked.markDirty()
    await clock.advance(5_000)
    expect(saver.stats()).toMatchObject({ saved: 16, dirty: 1 })
  })

  it('that gives too few results is not believed', async () => {
    const { clock, store, saver, errors, track } = setUp()
    store.save = async () => []
    track('ann').tracked.markDirty()
    await clock.advance(8_000)
    expect(errors[0]).toBe('STORE_IO: ann')
    expect(saver.stats()).toMatchObject({ dirty: 1 })
  })
})

describe('flushing', () => {
  it('saves at once and waits for it', async () => {
    const { clock, store, track } = setUp()
    const { avatar, tracked } = track('ann')
    avatar.gold = 3
    tracked.markDirty()
    await tracked.flush()
    expect(clock.now()).toBe(0)
    expect(await store.dataOf('ann')).toEqual({ gold: 3 })
    expect(clock.pending).toBe(0)
  })

  it('is done at once when nothing changed', async () => {
    const { store, saver, track } = setUp()
    await track('ann').tracked.flush()
    await saver.flush()
    expect(store.batches).toEqual([])
  })

  it('waits over retries', async () => {
    const { clock, store, track } = setUp()
    const { tracked } = track('ann')
    store.fault = 'away'
    tracked.markDirty()
    const flushed = watch(tracked.flush())
    await clock.advance(1_000)
    expect(flushed.state).toBe('pending')
    store.fault = undefined
    await clock.advance(2_000)
    expect(flushed.state).toBe('done')
  })

  it('ends with a timeout that tells why, and the entity stays dirty', async () => {
    const { clock, store, saver, track } = setUp()
    const { tracked } = track('ann')
    track('bob').tracked.markDirty()
    store.fault = 'away'
    tracked.markDirty()
    const flushed = watch(saver.flush({ timeoutMs: 300 }))
    await clock.advance(300)
    expect(flushed).toMatchObject({
      state: 'failed',
      error: {
        code: 'STORE_TIMEOUT',
        executed: 'maybe',
        message: '2 of 2 entities were not saved within 300 ms',
        cause: { message: 'away' },
      },
    })
    store.fault = undefined
    await clock.advance(10_000)
    expect(saver.stats()).toMatchObject({ dirty: 0, saved: 2 })
  })

  it('ends with the reason of its signal', async () => {
    const { clock, store, track } = setUp()
    const { tracked } = track('ann')
    store.fault = 'away'
    tracked.markDirty()
    const { signal, abort } = abortable()
    const flushed = watch(tracked.flush({ signal }))
    await clock.advance(100)
    abort(new Error('no longer wanted'))
    await clock.settle()
    expect(flushed).toMatchObject({ state: 'failed', error: { message: 'no longer wanted' } })
    await expect(tracked.flush({ signal })).rejects.toThrow('no longer wanted')
  })

  it('asks only for what had changed by then', async () => {
    const { clock, store, track } = setUp()
    const { tracked } = track('ann')
    tracked.markDirty()
    store.before = () => tracked.markDirty()
    const flushed = watch(tracked.flush())
    await clock.settle()
    expect(flushed.state).toBe('done')
    expect(store.batches).toHaveLength(1)
    expect(tracked.isDirty).toBe(true)
  })

  it('tells of all entities that could not be saved in one error', async () => {
    const { saver, track } = setUp()
    for (const id of ['ann', 'bob']) {
      const { avatar, tracked } = track(id)
      avatar.snapshot = () => Symbol('not data')
      tracked.markDirty()
    }
    await expect(saver.flush()).rejects.toMatchObject({
      code: 'STORE_VALUE',
      message: expect.stringMatching(/^2 entities were not saved; the first: avatar ann/),
      cause: { errors: [{ code: 'STORE_VALUE' }, { code: 'STORE_VALUE' }] },
    })
  })
})

describe('releasing', () => {
  it('saves the last change and lets the entity go', async () => {
    const { store, saver, track } = setUp()
    const { avatar, tracked } = track('ann')
    avatar.gold = 7
    tracked.markDirty()
    const releasing = tracked.release()
    avatar.gold = 8
    tracked.markDirty()
    await releasing
    expect(await store.dataOf('ann')).toEqual({ gold: 7 })
    expect(tracked).toMatchObject({ state: 'released', isDirty: false })
    expect(saver.stats()).toMatchObject({ tracked: 0, saved: 1 })
    await tracked.release()
    track('ann', { version: 1 })
  })

  it('needs no save when nothing changed', async () => {
    const { store, saver, track } = setUp()
    await track('ann').tracked.release()
    expect(store.batches).toEqual([])
    expect(saver.stats()).toMatchObject({ tracked: 0 })
  })

  it('waits for the save that is under way', async () => {
    const { clock, store, track } = setUp()
    const gate = Promise.withResolvers<void>()
    store.before = () => gate.promise
    const { tracked } = track('ann')
    tracked.markDirty()
    await clock.advance(8_000)
    const released = watch(tracked.release())
    await clock.settle()
    expect(released.state).toBe('pending')
    gate.resolve()
    await clock.settle()
    expect(released.state).toBe('done')
    expect(store.batches).toEqual([['ann']])
  })

  it('goes on trying after its timeout, with the data of the release', async () => {
    const { clock, store, saver, track } = setUp()
    const { avatar, tracked } = track('ann')
    store.fault = 'away'
    avatar.gold = 7
    tracked.markDirty()
    const released = watch(tracked.release({ timeoutMs: 100 }))
    avatar.snapshot = () => {
      throw new Error('the entity is gone')
    }
    await clock.advance(100)
    expect(released).toMatchObject({ state: 'failed', error: { code: 'STORE_TIMEOUT' } })
    expect(tracked.state).toBe('releasing')
    expect(() => track('ann')).toThrow('avatar ann is tracked already')
    store.fault = undefined
    const again = watch(tracked.release())
    await clock.advance(1_000)
    expect(again.state).toBe('done')
    expect(await store.dataOf('ann')).toEqual({ gold: 7 })
    expect(saver.stats()).toMatchObject({ tracked: 0, saved: 1 })
  })

  it('fails at once for data that cannot be saved, and the entity is still there', async () => {
    const { track } = setUp()
    const { avatar, tracked } = track('ann')
    avatar.snapshot = () => ({ run() {} })
    tracked.markDirty()
    await expect(tracked.release()).rejects.toMatchObject({ code: 'STORE_VALUE' })
    expect(tracked.state).toBe('tracked')
    tracked.forget()
    expect(tracked).toMatchObject({ state: 'released', isDirty: false })
  })
})

describe('fences', () => {
  it('end the care for an entity that a newer owner has', async () => {
    const { clock, store, saver, fenced, errors, track } = setUp()
    const { tracked } = track('ann', { fence: 5 })
    tracked.markDirty()
    await tracked.flush()
    await store.load('avatar', 'ann', { fence: 8 })
    tracked.markDirty()
    const flushed = watch(tracked.flush())
    await clock.settle()
    expect(flushed).toMatchObject({ state: 'failed', error: { code: 'STORE_FENCED', fence: 8 } })
    expect(fenced).toEqual(['ann by 8'])
    expect(errors).toEqual([])
    expect(tracked).toMatchObject({ state: 'fenced', isDirty: false })
    tracked.markDirty()
    await clock.advance(60_000)
    expect(store.batches).toHaveLength(2)
    expect(saver.stats()).toMatchObject({ tracked: 0, fenced: 1 })
    await tracked.release()
  })

  it('let a newer owner of this process take the place of an older one', async () => {
    const { clock, store, fenced, track } = setUp()
    const old = track('ann', { fence: 5 })
    old.tracked.markDirty()
    const flushed = watch(old.tracked.flush())
    const { avatar, tracked } = track('ann', { fence: 6 })
    await store.load('avatar', 'ann', { fence: 6 })
    avatar.gold = 6
    tracked.markDirty()
    await clock.advance(8_000)
    expect(fenced).toEqual(['ann by 6'])
    expect(old.tracked.state).toBe('fenced')
    expect(flushed.state).toBe('failed')
    expect(tracked.isDirty).toBe(false)
  })

  it('are told even when the callback throws, and the others are saved', async () => {
    const { clock, store, track } = setUp({
      onFenced: () => {
        throw new Error('a mistake of the caller')
      },
    })
    await store.load('avatar', 'ann', { fence: 8 })
    track('ann', { fence: 5 }).tracked.markDirty()
    track('bob').tracked.markDirty()
    await clock.advance(8_000)
    expect(await store.dataOf('bob')).toEqual({ gold: 0 })
  })
})

describe('stopping', () => {
  it('saves all that is dirty, takes no more, and leaves the store open', async () => {
    const { clock, store, saver, track } = setUp()
    const all = [...'abc'].map((id) => track(id).tracked)
    for (const tracked of all) tracked.markDirty()
    await Promise.all([saver.stop(), saver.stop()])
    expect(store.batches.flat()).toEqual(['a', 'b', 'c'])
    expect(clock.pending).toBe(0)
    expect(() => track('d')).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }))
    for (const tracked of all) {
      tracked.markDirty()
      await tracked.release()
    }
    await clock.advance(60_000)
    expect(store.batches.flat()).toHaveLength(3)
    expect(await store.dataOf('a')).toEqual({ gold: 0 })
  })

  it('ends in bounded time when the store is away, and says what is lost', async () => {
    const { clock, store, saver, track } = setUp()
    store.fault = 'away'
    track('ann').tracked.markDirty()
    const other = watch(track('bob').tracked.flush())
    const stopped = watch(saver.stop())
    await clock.advance(5_000)
    expect(stopped).toMatchObject({
      state: 'failed',
      error: { code: 'STORE_TIMEOUT', message: '1 of 1 entities were not saved within 5000 ms' },
    })
    expect(other.state).toBe('done')
    const tries = store.batches.length
    await clock.advance(60_000)
    expect(store.batches).toHaveLength(tries)
    expect(clock.pending).toBe(0)
  })

  it('happens by itself at the end of a block', async () => {
    const { store, saver, track } = setUp()
    {
      await using stopping = saver
      track('ann').tracked.markDirty()
      expect(stopping.stats().dirty).toBe(1)
    }
    expect(await store.dataOf('ann')).toEqual({ gold: 0 })
  })
})

describe('tracking', () => {
  it('refuses the same entity twice, and more than it may', () => {
    const { track } = setUp({ maxTracked: 2 })
    track('ann', { fence: 2 })
    expect(() => track('ann', { fence: 2 })).toThrow(TypeError)
    track('bob')
    expect(() => track('cid')).toThrow(expect.objectContaining({ code: 'STORE_FULL' }))
  })

  it('names an option or a field it cannot work with', () => {
    const { track } = setUp()
    expect(() => setUp({ intervalMs: 0 })).toThrow(/intervalMs .* not 0/)
    expect(() => setUp({ maxRetryMs: 50 })).toThrow(/maxRetryMs .* not 50/)
    expect(() => track('')).toThrow(/id must be/)
    expect(() => track('ann', { version: -1 })).toThrow(/version .* not -1/)
  })
})

describe('whatever happens', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('change' as const), who: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const), who: fc.nat(4) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('fault' as const),
        fault: fc.constantFrom(
          'away' as const,
          'does it, but reports a failure' as const,
          undefined,
        ),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('slow' as const), ms: fc.nat(2_000) }) },
  )

  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

  async function play(steps: readonly Step[], seed: number): Promise<string> {
    const { clock, store, saver, track, errors, fenced } = setUp(
      { intervalMs: 1_000, maxBatch: 3 },
      seed,
    )
    const log: unknown[] = []
    const all = [...'abcde'].map((id) => track(id, { fence: 1 }))
    for (const action of steps) {
      if (action.do === 'wait') await clock.advance(action.ms)
      else if (action.do === 'fault') store.fault = action.fault
      else if (action.do === 'slow') {
        store.before = () => new Promise<void>((resolve) => void clock.setTimer(action.ms, resolve))
      } else {
        const one = all[action.who]
        if (action.do === 'flush') watch(one?.tracked.flush() ?? Promise.resolve())
        else if (one !== undefined) {
          one.avatar.gold += 1
          one.tracked.markDirty()
        }
      }
      log.push(clock.now(), saver.stats(), store.batches.length)
    }
    store.fault = undefined
    const stopped = watch(saver.stop())
    await clock.advance(30_000)
    log.push(errors, fenced, stopped, store.batches)
    for (const { avatar, tracked } of all) {
      const stored = await store.inner.load('avatar', avatar.id)
      log.push(stored, tracked.version)
      expect(stored === undefined ? 0 : stored.data).toEqual(
        stored === undefined ? avatar.gold : { gold: avatar.gold },
      )
      expect(tracked.version).toBe(stored?.version ?? 0)
    }
    expect(stopped.state).toBe('done')
    expect(fenced).toEqual([])
    expect(errors.filter((error) => !/^(away|timed out): /.test(error))).toEqual([])
    return JSON.stringify(log)
  }

  it('the store ends with the last state of each entity, and the same seed plays the same twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
        expect(await play(steps, seed)).toBe(await play(steps, seed))
      }),
      { numRuns: 60, seed: 32 },
    )
  })
})

function abortable() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason: Error) => controller.abort(reason) }
}
