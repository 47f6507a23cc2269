import { TestingError } from './errors.ts'
import { clearTimeout, now, setImmediate, setTimeout } from './real-time.ts'

export interface EventuallyOptions {
  /** How long to go on trying, in milliseconds. @defaultValue 5000 */
  readonly timeoutMs?: number
  /** The longest pause between two tries, in milliseconds. @defaultValue 25 */
  readonly intervalMs?: number
  /** What is waited for, for the error. */
  readonly message?: string
}

/**
 * Tries a check until it holds: it returned (and what it awaited resolved) without throwing, and
 * gave neither `false`, `0`, `''` nor `null`. `undefined` holds, since assertions return it; so ask
 * `() => map.has(key)`, not `() => map.get(key)`.
 *
 * @throws TestingError `TESTING_TIMEOUT` with the last failure as its `cause`.
 */
export async function eventually(
  check: () => unknown,
  options: EventuallyOptions = {},
): Promise<void> {
  const { timeoutMs = 5_000, intervalMs = 25, message = 'the check' } = options
  const startedAt = now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  let cause: unknown
  let pauseMs = 1
  try {
    for (let tries = 1; ; tries += 1) {
      const isLastTry = now() - startedAt >= timeoutMs
      const outcome = await Promise.race([attempt(check), late.then(turn)])
      if (outcome?.holds === true) return
      const last =
        outcome === undefined ? 'the last try has not returned' : describe(outcome.failure)
      cause = outcome?.failure ?? cause
      if (isLastTry || outcome === undefined) {
        const spent = `${Math.round(now() - startedAt)} ms and ${tries} tries`
        const text = `${message}: not after ${spent}; ${last}`
        throw new TestingError('TESTING_TIMEOUT', text, { cause })
      }
      await Promise.race([pause(pauseMs), late])
      pauseMs = Math.min(pauseMs * 2, intervalMs)
    }
  } finally {
    clearTimeout(timer)
  }
}

interface Outcome {
  readonly holds: boolean
  readonly failure: unknown
}

async function attempt(check: () => unknown): Promise<Outcome> {
  try {
    const result = await check()
    return { holds: result === undefined || Boolean(result), failure: result }
  } catch (failure) {
    return { holds: false, failure }
  }
}

function describe(failure: unknown): string {
  return failure instanceof Error ? `last: ${failure.message}` : `last: it gave ${String(failure)}`
}

/** Gives a last try that waits for no I/O the time to answer. */
function turn(): Promise<undefined> {
  return new Promise((resolve) => {
    setImmediate(() => resolve(undefined))
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
