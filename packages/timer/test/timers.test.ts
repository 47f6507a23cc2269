import { describe, expect, test } from 'vitest'
import { SteppedClock } from '@rts/testing'
import { TimerError, Timers, type TimersOptions } from '../src/index.ts'

function setup(options: TimersOptions = {}) {
  const clock = new SteppedClock()
  const log: string[] = []
  const timers = new Timers({ clock, ...options })
  const note = (name: string) => () => void log.push(`${name}@${clock.now()}`)
  return { clock, timers, log, note }
}

/** A promise that a test settles by hand. */
function gate() {
  let open = (): void => {}
  let fail = (_error: unknown): void => {}
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}

describe('after', () => {
  test('fires on the tick its delay ends, never before', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(10, note('a'))
    await clock.advance(9)
    expect(log).toEqual([])
    await clock.advance(1)
    expect(log).toEqual(['a@10'])
    expect(timers.pending).toBe(0)
  })

  test('fires timers of one tick in the order in which they were set, however far ahead that was', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(5000, note('far'))
    await clock.advance(4990)
    timers.after(10, note('near'))
    await clock.advance(9)
    timers.after(1, note('next'))
    await clock.advance(1)
    expect(log).toEqual(['far@5000', 'near@5000', 'next@5000'])
  })

  test('with a delay of 0 or less fires in the next turn, not inside the call', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(0, note('zero'))
    timers.after(-50, note('negative'))
    expect(log).toEqual([])
    await clock.settle()
    expect(log).toEqual(['zero@0', 'negative@0'])
  })

  test('with a delay of 0 set inside a callback leaves that pass and lets others in between', async () => {
    const { clock, timers, log, note } = setup()
    let left = 3
    const again = (): void => {
      log.push('again')
      if (--left > 0) timers.after(0, again)
    }
    timers.after(1, again)
    timers.after(1, note('other'))
    await clock.advance(1)
    expect(log).toEqual(['again', 'other@1', 'again', 'again'])
  })

  test('takes delays far above what setTimeout takes', async () => {
    const { clock, timers, log, note } = setup()
    const years = 300 * 365 * 24 * 3600 * 1000
    timers.after(2 ** 31, note('25 days'))
    timers.after(years, note('years'))
    timers.after(Number.MAX_SAFE_INTEGER, note('never'))
    await clock.advance(2 ** 31 - 1)
    expect(log).toEqual([])
    await clock.advance(1)
    expect(log).toEqual([`25 days@${2 ** 31}`])
    await clock.advance(years - 2 ** 31)
    expect(log[1]).toBe(`years@${years}`)
    expect(timers.pending).toBe(1)
  })

  test('rounds up to the next tick', async () => {
    const { clock, timers, log, note } = setup({ tickMs: 50 })
    timers.after(1, note('a'))
    timers.after(50, note('b'))
    timers.after(51, note('c'))
    await clock.advance(200)
    expect(log).toEqual(['a@50', 'b@50', 'c@100'])
  })

  test('fires what a busy process missed in the order of the deadlines', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(300, note('c'))
    timers.after(100, note('a'))
    timers.after(200, note('b'))
    clock.suspend(1000)
    await clock.settle()
    expect(log).toEqual(['a@1000', 'b@1000', 'c@1000'])
  })

  test.each([NaN, Infinity, '5' as unknown as number])('refuses a delay of %s', (delay) => {
    const { timers } = setup()
    expect(() => timers.after(delay, () => {})).toThrow(RangeError)
    expect(timers.pending).toBe(0)
  })
})

describe('at', () => {
  test('fires when the wall clock gets there, as it stood when it was set', async () => {
    const { clock, timers, log, note } = setup()
    timers.at(clock.wall() + 500, note('noon'))
    timers.at(clock.wall() - 500, note('past'))
    await clock.advance(500)
    expect(log).toEqual(['past@0', 'noon@500'])
  })
})

describe('every', () => {
  test('keeps its rate over an hour: no drift', async () => {
    const { clock, timers } = setup()
    const late: number[] = []
    let calls = 0
    timers.every(250.5, () => {
      calls += 1
      late.push(clock.now() - calls * 250.5)
    })
    await clock.advance(3_600_000)
    expect(calls).toBe(Math.floor(3_600_000 / 250.5))
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...late)).toBeLessThanOrEqual(1)
  })

  test('ends after `times` calls', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(10, note('a'), { times: 3 })
    await clock.advance(100)
    expect(log).toEqual(['a@10', 'a@20', 'a@30'])
    expect(timers.pending).toBe(0)
  })

  test('starts after `firstDelayMs` if given', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(100, note('a'), { firstDelayMs: 0, times: 2 })
    await clock.advance(100)
    expect(log).toEqual(['a@0', 'a@100'])
  })

  test('makes one call for several that were missed, and stays in phase', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(10, note('a'))
    clock.suspend(55)
    await clock.advance(15)
    expect(log).toEqual(['a@55', 'a@60', 'a@70'])
    expect(timers.stats().skipped).toBe(4)
  })

  test('makes up for every missed call with `missed: catch-up`', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(10, note('a'), { missed: 'catch-up' })
    clock.suspend(35)
    await clock.advance(5)
    expect(log).toEqual(['a@35', 'a@35', 'a@35', 'a@40'])
  })

  test('leaves a call out while the promise of the last one is pending', async () => {
    const { clock, timers, log } = setup()
    const first = gate()
    timers.every(10, () => {
      log.push(`start@${clock.now()}`)
      return log.length === 1 ? first.promise : undefined
    })
    await clock.advance(35)
    expect(log).toEqual(['start@10'])
    first.open()
    await clock.advance(10)
    expect(log).toEqual(['start@10', 'start@40'])
    expect(timers.stats().skipped).toBe(2)
  })

  test('a call that was left out does not count towards `times`', async () => {
    const { clock, timers, log } = setup()
    const first = gate()
    const run = () => {
      log.push(`start@${clock.now()}`)
      return log.length === 1 ? first.promise : undefined
    }
    timers.every(10, run, { times: 2 })
    await clock.advance(35)
    first.open()
    await clock.advance(100)
    expect(log).toEqual(['start@10', 'start@40'])
  })

  test('lets calls overlap with `overlap: allow`', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(
      10,
      () => {
        note('a')()
        return new Promise(() => {})
      },
      { overlap: 'allow' },
    )
    await clock.advance(30)
    expect(log).toEqual(['a@10', 'a@20', 'a@30'])
  })

  test('with `fixed-delay` waits the interval after the end of each call', async () => {
    const { clock, timers, log, note } = setup()
    const slow = async (): Promise<void> => {
      note('start')()
      await new Promise<void>((resolve) => void clock.setTimer(25, resolve))
      note('end')()
    }
    timers.every(10, slow, { mode: 'fixed-delay' })
    await clock.advance(80)
    expect(log).toEqual(['start@10', 'end@35', 'start@45', 'end@70', 'start@80'])
  })

  test('with `fixed-delay` takes plain callbacks too', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(10, note('a'), { mode: 'fixed-delay', times: 2 })
    clock.suspend(15)
    await clock.advance(100)
    expect(log).toEqual(['a@15', 'a@25'])
  })

  test.each([
    [0, {}, 'intervalMs'],
    [NaN, {}, 'intervalMs'],
    [0.5, {}, 'intervalMs'],
    [10, { times: 0 }, 'times'],
    [10, { times: 1.5 }, 'times'],
    [10, { firstDelayMs: NaN }, 'firstDelayMs'],
    [10, { mode: 'often' as 'fixed-rate' }, 'mode'],
  ])('refuses %s %o', (interval, options, named) => {
    const { timers } = setup()
    expect(() => timers.every(interval, () => {}, options)).toThrow(new RegExp(`^${named} must`))
  })
})

describe('keys and ids', () => {
  test('any number of timers share a key and are cancelled by it', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(10, note('a'), { key: 'room' })
    timers.every(10, note('b'), { key: 'room' })
    timers.after(10, note('c'), { key: 'other' })
    timers.after(10, note('d'))
    expect(timers.has('room')).toBe(true)
    expect(timers.cancel('room')).toBe(2)
    expect(timers.has('room')).toBe(false)
    expect(timers.cancel('room')).toBe(0)
    await clock.advance(20)
    expect(log).toEqual(['c@10', 'd@10'])
  })

  test('objects are keys by identity', async () => {
    const { clock, timers, log, note } = setup()
    const one = { name: 'x' }
    const two = { name: 'x' }
    timers.after(10, note('one'), { key: one })
    timers.after(10, note('two'), { key: two })
    expect(timers.cancel(one)).toBe(1)
    await clock.advance(10)
    expect(log).toEqual(['two@10'])
  })

  test('an id cancels one timer, of a key or not', async () => {
    const { clock, timers, log, note } = setup()
    const ids = ['a', 'b', 'c', 'd'].map((name) => timers.after(10, note(name), { key: 'k' }))
    expect(timers.cancel(ids[0]!)).toBe(1)
    expect(timers.cancel(ids[2]!)).toBe(1)
    expect(timers.cancel(ids[2]!)).toBe(0)
    expect(timers.has(ids[2]!)).toBe(false)
    expect(timers.has(ids[3]!)).toBe(true)
    await clock.advance(10)
    expect(log).toEqual(['b@10', 'd@10'])
  })

  test('the id of an ended timer never names a later one', async () => {
    const { clock, timers, log, note } = setup()
    const old = timers.after(1, note('old'))
    await clock.advance(1)
    const ids = Array.from({ length: 200 }, () => timers.after(1, note('new')))
    expect(ids).not.toContain(old)
    expect(new Set(ids).size).toBe(200)
    expect(timers.cancel(old)).toBe(0)
    expect(timers.pending).toBe(200)
    expect(log).toEqual(['old@1'])
  })

  test('unknown ids and keys cancel nothing', () => {
    const { timers } = setup()
    timers.after(1, () => {})
    for (const id of [0, -1, 1, 0.5, NaN, Infinity, 2 ** 60]) expect(timers.cancel(id)).toBe(0)
    expect(timers.cancel('nobody')).toBe(0)
    expect(timers.pending).toBe(1)
  })

  test('refuses keys that are neither string nor object', () => {
    const { timers } = setup()
    for (const key of [5, null, true] as unknown as string[])
      expect(() => timers.after(1, () => {}, { key })).toThrow(TypeError)
    expect(timers.pending).toBe(0)
  })

  test('a timer can cancel others of its tick, and a key while it fires', async () => {
    const { clock, timers, log, note } = setup()
    const all = (name: string) => () => {
      note(name)()
      timers.cancel('k')
    }
    timers.after(10, all('a'), { key: 'k' })
    timers.after(10, all('b'), { key: 'k' })
    timers.every(5, note('c'), { key: 'k' })
    await clock.advance(50)
    expect(log).toEqual(['c@5', 'a@10'])
    expect(timers.pending).toBe(0)
  })
})

describe('errors', () => {
  test('what a callback throws or rejects with goes to onError, and a repeat goes on', async () => {
    const seen: unknown[] = []
    const { clock, timers, log, note } = setup({
      onError: (error, { id, key }) => seen.push([(error as Error).message, typeof id, key]),
    })
    timers.every(10, () => {
      note('sync')()
      throw new Error('sync')
    })
    timers.every(
      10,
      async () => {
        note('async')()
        throw new Error('async')
      },
      { key: 'k' },
    )
    await clock.advance(20)
    expect(log).toEqual(['sync@10', 'async@10', 'sync@20', 'async@20'])
    expect(seen.slice(0, 2)).toEqual([
      ['sync', 'number', undefined],
      ['async', 'number', 'k'],
    ])
    expect(timers.stats().errors).toBe(4)
  })

  test('without onError the error is thrown in a turn of its own, and the others have fired', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(10, () => {
      throw new Error('boom')
    })
    timers.after(10, note('other'))
    await expect(clock.advance(10)).rejects.toThrow('boom')
    expect(log).toEqual(['other@10'])
  })

  test('an onError that throws stops nothing either', async () => {
    const { clock, timers, log, note } = setup({
      onError: () => {
        throw new Error('second')
      },
    })
    timers.after(10, () => {
      throw new Error('first')
    })
    timers.after(10, note('other'))
    await expect(clock.advance(10)).rejects.toThrow('second')
    expect(log).toEqual(['other@10'])
  })
})

describe('the native timer', () => {
  test('there is none while nothing is pending, and one however many are', async () => {
    const { clock, timers } = setup()
    expect(clock.pending).toBe(0)
    const ids = Array.from({ length: 100 }, (_, index) => timers.after(100 + index, () => {}))
    expect(clock.pending).toBe(1)
    for (const id of ids) timers.cancel(id)
    expect(clock.pending).toBe(0)
    timers.after(5, () => {})
    await clock.advance(5)
    expect(clock.pending).toBe(0)
  })

  test('is armed for the earliest timer, and wakes for nothing but work', async () => {
    const { clock, timers } = setup()
    timers.after(60_000, () => {})
    expect(clock.nextAt).toBe(60_000)
    timers.after(20, () => {})
    expect(clock.nextAt).toBe(20)
    let wakes = 0
    const setTimer = clock.setTimer.bind(clock)
    clock.setTimer = (delay, fn) => {
      wakes += 1
      return setTimer(delay, fn)
    }
    await clock.advance(60_000)
    expect(timers.pending).toBe(0)
    expect(wakes).toBeLessThanOrEqual(4)
  })

  test('may come early: nothing fires before its time', async () => {
    const { timers, clock, log, note } = setup()
    const setTimer = clock.setTimer.bind(clock)
    clock.setTimer = (delay, fn) => setTimer(delay > 1 ? delay - 1 : delay, fn)
    timers.after(10, note('a'))
    await clock.advance(20)
    expect(log).toEqual(['a@10'])
  })
})

describe('the end', () => {
  test('destroy cancels all, refuses more, and may come twice', async () => {
    const { clock, timers, log, note } = setup()
    timers.after(10, note('a'))
    timers.every(10, note('b'), { key: 'k' })
    timers.destroy()
    timers.destroy()
    expect(timers.pending).toBe(0)
    expect(timers.has('k')).toBe(false)
    expect(clock.pending).toBe(0)
    await clock.advance(100)
    expect(log).toEqual([])
    expect(() => timers.after(1, () => {})).toThrow(TimerError)
    expect(() => timers.every(1, () => {})).toThrow(
      expect.objectContaining({ code: 'TIMER_DESTROYED' }),
    )
  })

  test('`using` destroys', () => {
    const clock = new SteppedClock()
    {
      using timers = new Timers({ clock })
      timers.after(10, () => {})
    }
    expect(clock.pending).toBe(0)
  })

  test('maxPending is kept', async () => {
    const { clock, timers } = setup({ maxPending: 2 })
    timers.after(1, () => {})
    timers.every(10, () => {})
    expect(() => timers.after(1, () => {})).toThrow(expect.objectContaining({ code: 'TIMER_FULL' }))
    await clock.advance(1)
    timers.after(1, () => {})
    expect(timers.pending).toBe(2)
  })

  test.each([
    [{ tickMs: 0 }, 'tickMs'],
    [{ maxPending: 0 }, 'maxPending'],
    [{ maxPending: 2 ** 25 }, 'maxPending'],
  ])('refuses the options %o', (options, named) => {
    expect(() => new Timers(options)).toThrow(new RegExp(`^${named} must`))
  })
})

// What goes wrong in keyed timers that keep a native handle per key.
describe('seven old mistakes', () => {
  test('1. the last shot of a finite repeat can be cancelled', async () => {
    const { clock, timers, log, note } = setup()
    const id = timers.every(10, note('a'), { times: 3, key: 'k' })
    await clock.advance(25)
    expect(timers.has('k')).toBe(true)
    expect(timers.cancel(id)).toBe(1)
    await clock.advance(100)
    expect(log).toEqual(['a@10', 'a@20'])
  })

  test('2. the run time of a callback does not stretch the period', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(10, async () => {
      note('a')()
      await new Promise<void>((resolve) => void clock.setTimer(6, resolve))
    })
    await clock.advance(40)
    expect(log).toEqual(['a@10', 'a@20', 'a@30', 'a@40'])
  })

  test.each(['fixed-rate', 'fixed-delay'] as const)(
    '3. cancelling while an async callback runs stops the next shot (%s)',
    async (mode) => {
      const { clock, timers, log, note } = setup()
      const running = gate()
      const id = timers.every(
        10,
        () => {
          note('a')()
          return running.promise
        },
        { mode, key: 'k' },
      )
      await clock.advance(10)
      expect(timers.has('k')).toBe(true)
      expect(timers.cancel(id)).toBe(1)
      running.open()
      await clock.advance(100)
      expect(log).toEqual(['a@10'])
      expect(timers.pending).toBe(0)
    },
  )

  test('4. an error in a callback neither ends the repeat nor leaks the timer', async () => {
    const { clock, timers } = setup({ onError: () => {} })
    let calls = 0
    const fail = (): void => {
      calls += 1
      throw new Error('each time')
    }
    timers.every(10, fail, { times: 3, key: 'k' })
    timers.after(10, fail, { key: 'k' })
    await clock.advance(100)
    expect(calls).toBe(4)
    expect(timers.pending).toBe(0)
    expect(timers.has('k')).toBe(false)
  })

  test('5. a key whose timers are gone leaves nothing behind', async () => {
    const clock = new SteppedClock()
    const timers = new Timers({ clock })
    let key: object | undefined = {}
    const watched = new WeakRef(key)
    timers.after(1, () => {}, { key })
    timers.cancel(key)
    timers.after(1, () => {}, { key })
    key = undefined
    await clock.advance(1)
    for (let round = 0; round < 10_000; round += 1)
      timers.cancel(timers.after(1000, () => {}, { key: `player ${round}` }) && `player ${round}`)
    expect(timers.stats()).toMatchObject({ pending: 0, capacity: 64, cancelled: 10_001 })
    expect(watched.deref() === undefined || !timers.has(watched.deref()!)).toBe(true)
  })

  test('6. an id is never mistaken for a key', async () => {
    const { clock, timers, log, note } = setup()
    const id = timers.after(10, note('by id'))
    timers.after(10, note('by key'), { key: String(id) })
    expect(timers.cancel(String(id))).toBe(1)
    expect(timers.has(id)).toBe(true)
    await clock.advance(10)
    expect(log).toEqual(['by id@10'])
  })

  test('7. destroying inside the last shot, or any other callback, is safe', async () => {
    const { clock, timers, log, note } = setup()
    timers.every(
      10,
      () => {
        note('a')()
        if (clock.now() === 20) timers.destroy()
      },
      { times: 2 },
    )
    timers.every(10, note('b'), { mode: 'fixed-delay' })
    await clock.advance(100)
    expect(log).toEqual(['a@10', 'b@10', 'a@20'])
    expect(timers.pending).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('7b. destroying while the promise of a callback is pending is safe', async () => {
    const seen: unknown[] = []
    const { clock, timers } = setup({ onError: (error) => seen.push(error) })
    const running = gate()
    timers.every(10, () => running.promise, { mode: 'fixed-delay' })
    await clock.advance(10)
    timers.destroy()
    running.fail(new Error('late'))
    await clock.advance(10)
    expect(seen).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })
})
