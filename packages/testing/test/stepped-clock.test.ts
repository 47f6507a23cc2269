import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { SteppedClock } from '../src/index.ts'

test('stands still until it is advanced, then says the new time', async () => {
  const clock = new SteppedClock({ startMs: 100, wallMs: 5_000 })
  expect([clock.now(), clock.wall()]).toEqual([100, 5_000])
  await clock.advance(25)
  expect([clock.now(), clock.wall()]).toEqual([125, 5_025])
})

test('runs each timer at its own time, not at the end of the step', async () => {
  const clock = new SteppedClock()
  const times: number[] = []
  for (const delay of [30, 10, 20]) clock.setTimer(delay, () => times.push(clock.now()))
  await clock.advance(25)
  expect(times).toEqual([10, 20])
  expect(clock.pending).toBe(1)
  expect(clock.nextAt).toBe(30)
})

test('runs timers of one time in the order they were set, and defers after those due already', async () => {
  const clock = new SteppedClock()
  const log: string[] = []
  clock.setTimer(10, () => {
    log.push('first')
    clock.defer(() => log.push('deferred'))
    clock.setTimer(0, () => log.push('at once'))
  })
  clock.setTimer(10, () => log.push('second'))
  await clock.advance(10)
  expect(log).toEqual(['first', 'second', 'deferred', 'at once'])
})

test('lets every promise callback and nextTick finish before the next event', async () => {
  const clock = new SteppedClock()
  const log: string[] = []
  clock.setTimer(1, async () => {
    for (let depth = 0; depth < 50; depth += 1) await Promise.resolve()
    process.nextTick(() => {
      void Promise.resolve().then(() => log.push('chain'))
    })
  })
  clock.setTimer(1, () => log.push('next event'))
  await clock.advance(1)
  expect(log).toEqual(['chain', 'next event'])
})

test('runs a timer that promise callbacks set within the step', async () => {
  const clock = new SteppedClock()
  const times: number[] = []
  void Promise.resolve().then(() => clock.setTimer(5, () => times.push(clock.now())))
  await clock.advance(10)
  expect(times).toEqual([5])
})

test('settle runs what is due now with what follows from it, and nothing later', async () => {
  const clock = new SteppedClock()
  const log: string[] = []
  clock.defer(() => clock.defer(() => log.push('nested')))
  clock.setTimer(1, () => log.push('later'))
  await clock.settle()
  expect(log).toEqual(['nested'])
  expect(clock.now()).toBe(0)
})

test('does not run what was cancelled, also when cancelled by an event of the same time', async () => {
  const clock = new SteppedClock()
  const fn = vi.fn()
  clock.setTimer(5, () => cancel())
  const cancel = clock.setTimer(5, fn)
  clock.setTimer(5, fn)()
  await clock.advance(5)
  cancel()
  expect(fn).not.toHaveBeenCalled()
  expect(clock.pending).toBe(0)
})

test('stops at the error a callback throws, and goes on from there', async () => {
  const clock = new SteppedClock()
  const fn = vi.fn()
  clock.setTimer(5, () => {
    throw new Error('on purpose')
  })
  clock.setTimer(6, fn)
  await expect(clock.advance(10)).rejects.toThrow('on purpose')
  expect([clock.now(), fn.mock.calls.length]).toEqual([5, 0])
  await clock.advance(5)
  expect([clock.now(), fn.mock.calls.length]).toEqual([10, 1])
})

describe('runUntil', () => {
  test('stops at the time the condition came true', async () => {
    const clock = new SteppedClock()
    let ticks = 0
    const tick = (): void => {
      ticks += 1
      clock.setTimer(7, tick)
    }
    tick()
    await clock.runUntil(() => ticks === 4)
    expect(clock.now()).toBe(21)
  })

  test('returns at once when the condition holds already', async () => {
    const clock = new SteppedClock()
    clock.setTimer(1, () => {})
    await clock.runUntil(() => true)
    expect(clock.pending).toBe(1)
  })

  test('gives up at the limit and says what is pending', async () => {
    const clock = new SteppedClock()
    clock.setTimer(300, () => {})
    await expect(clock.runUntil(() => false, { limitMs: 100 })).rejects.toMatchObject({
      code: 'TESTING_CLOCK_LIMIT',
      message: 'not done after 100 ms of stepped time; 1 pending, the next in 200 ms',
    })
    expect(clock.now()).toBe(100)
  })

  test('sees a condition that only the time itself fulfils', async () => {
    const clock = new SteppedClock()
    await clock.runUntil(() => clock.now() >= 50, { limitMs: 50 })
    expect(clock.now()).toBe(50)
  })
})

test('refuses to be stepped twice at once', async () => {
  const clock = new SteppedClock()
  const first = clock.advance(10)
  await expect(clock.advance(10)).rejects.toMatchObject({ code: 'TESTING_CLOCK_BUSY' })
  await first
  expect(clock.now()).toBe(10)
})

test('names a loop that re-arms itself without delay', async () => {
  const clock = new SteppedClock()
  const again = (): void => clock.defer(again)
  again()
  await expect(clock.settle()).rejects.toMatchObject({ code: 'TESTING_CLOCK_STUCK' })
})

test('runs late what came due while suspended', async () => {
  const clock = new SteppedClock()
  const times: number[] = []
  clock.setTimer(10, () => times.push(clock.now()))
  clock.suspend(1_000)
  expect(times).toEqual([])
  await clock.settle()
  expect(times).toEqual([1_000])
})

test('a jump of the wall clock moves neither now nor timers', async () => {
  const clock = new SteppedClock({ wallMs: 0 })
  const fn = vi.fn()
  clock.setTimer(10, fn)
  clock.jumpWall(-3_600_000)
  await clock.settle()
  expect([clock.now(), clock.wall(), fn.mock.calls.length]).toEqual([0, -3_600_000, 0])
})

test('refuses delays a real timer would take for none', () => {
  const clock = new SteppedClock()
  expect(() => clock.setTimer(Number.NaN, () => {})).toThrow(RangeError)
  expect(() => clock.setTimer(Infinity, () => {})).toThrow(RangeError)
})

test('works under fake timers of the test runner', async () => {
  vi.useFakeTimers()
  try {
    const clock = new SteppedClock()
    const fn = vi.fn()
    clock.setTimer(1_000, fn)
    await clock.advance(1_000)
    expect(fn).toHaveBeenCalledOnce()
  } finally {
    vi.useRealTimers()
  }
})

interface Plan {
  readonly delayMs: number
  readonly then: readonly Plan[]
  readonly cancels: number
}
const plans = (depth: number): fc.Arbitrary<readonly Plan[]> =>
  fc.array(
    fc.record({
      delayMs: fc.nat(15),
      then: depth === 0 ? fc.constant([]) : plans(depth - 1),
      cancels: fc.nat(30),
    }),
    { maxLength: 4 },
  )

/** What should run when, worked out the slow way: look for the least, again and again. */
function model(roots: readonly Plan[]): string[] {
  const waiting: { id: number; at: number; plan: Plan }[] = []
  const log: string[] = []
  let ids = 0
  let now = 0
  const add = (plan: Plan): void => {
    waiting.push({ id: ids++, at: now + plan.delayMs, plan })
  }
  for (const root of roots) add(root)
  for (;;) {
    const next = waiting.sort((a, b) => a.at - b.at || a.id - b.id).shift()
    if (next === undefined) return log
    now = next.at
    log.push(`${next.id}@${now}`)
    const cancelled = waiting.findIndex(({ id }) => id === next.plan.cancels)
    if (cancelled !== -1) waiting.splice(cancelled, 1)
    for (const child of next.plan.then) add(child)
  }
}

async function run(roots: readonly Plan[], stepsMs: readonly number[]): Promise<string[]> {
  const clock = new SteppedClock()
  const log: string[] = []
  const cancels: (() => void)[] = []
  const add = (plan: Plan): void => {
    const id = cancels.length
    cancels.push(
      clock.setTimer(plan.delayMs, () => {
        log.push(`${id}@${clock.now()}`)
        cancels[plan.cancels]?.()
        for (const child of plan.then) add(child)
      }),
    )
  }
  for (const root of roots) add(root)
  for (const step of stepsMs) await clock.advance(step)
  await clock.runUntil(() => clock.pending === 0)
  return log
}

test('any tree of timers that set and cancel others runs as the model says, in steps of any size', async () => {
  await fc.assert(
    fc.asyncProperty(plans(3), fc.array(fc.nat(9), { maxLength: 8 }), async (roots, stepsMs) => {
      expect(await run(roots, stepsMs)).toEqual(model(roots))
    }),
    { seed: 7, numRuns: 150 },
  )
})
