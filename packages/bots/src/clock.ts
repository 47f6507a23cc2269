/** Time as this package sees it; every option has the real one as its default. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs `fn` after `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
}
