/** The timers that a scope sets. */
export interface Clock {
  now(): number
  setTimer(delayMs: number, fn: () => void): () => void
  /** After this turn. */
  defer(fn: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (delayMs, fn) => {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
  defer: (fn) => void setImmediate(fn),
}
