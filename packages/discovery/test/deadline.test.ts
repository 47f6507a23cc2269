import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { withDeadline } from '../src/deadline.ts'

const late = new Error('late')
const failure = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)

describe('withDeadline', () => {
  it('settles as the work does, and leaves no timer and no listener', async () => {
    const clock = new SteppedClock()
    const abort = new AbortController()
    const options = { clock, timeoutMs: 100, signal: abort.signal, onTimeout: () => late }
    expect(await withDeadline(Promise.resolve(7), options)).toBe(7)
    const broken = new Error('broken')
    expect(await failure(withDeadline(Promise.reject(broken), options))).toBe(broken)
    expect(clock.pending).toBe(0)
    abort.abort()
  })

  it('fails when the time is over, and on abort, whatever the work does later', async () => {
    const clock = new SteppedClock()
    const { promise, reject } = Promise.withResolvers<never>()
    const slow = failure(withDeadline(promise, { clock, timeoutMs: 100, onTimeout: () => late }))
    await clock.advance(100)
    expect(await slow).toBe(late)

    const abort = new AbortController()
    const { signal } = abort
    const stopped = failure(
      withDeadline(promise, { clock, timeoutMs: 100, signal, onTimeout: () => late }),
    )
    abort.abort('enough')
    expect(await stopped).toBe('enough')
    expect(
      await failure(
        withDeadline(promise, { clock, timeoutMs: 100, signal, onTimeout: () => late }),
      ),
    ).toBe('enough')
    reject(new Error('much later'))
    await clock.settle()
    expect(clock.pending).toBe(0)
  })
})
