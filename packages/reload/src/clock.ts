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

/** The same with timers that do not keep the process alive. */
export const backgroundClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, fn) => {
    const timer = setTimeout(fn, delayMs).unref()
    return () => clearTimeout(timer)
  },
}
