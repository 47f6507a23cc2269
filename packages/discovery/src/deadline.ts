import type { Clock } from './clock.ts'

export interface DeadlineOptions {
  readonly clock: Clock
  /** `Infinity` for none. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Makes the error of a call that took too long. */
  readonly onTimeout: () => Error
}

/** Settles as `work` does, or when the time is over or the signal aborts, whichever is first. */
export function withDeadline<T>(work: PromiseLike<T>, options: DeadlineOptions): Promise<T> {
  const { clock, timeoutMs, signal, onTimeout } = options
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) {
      work.then(undefined, () => {})
      reject(signal.reason)
      return
    }
    const onAbort = () => {
      cancelTimer()
      reject(signal?.reason)
    }
    const settle = () => {
      cancelTimer()
      signal?.removeEventListener('abort', onAbort)
    }
    const onTime = () => {
      settle()
      reject(onTimeout())
    }
    const cancelTimer = timeoutMs === Infinity ? () => {} : clock.setTimer(timeoutMs, onTime)
    signal?.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => {
        settle()
        resolve(value)
      },
      (error: unknown) => {
        settle()
        reject(error)
      },
    )
  })
}

/** Waits. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(delayMs, resolve))
}
