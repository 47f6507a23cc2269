/** Time as this package uses it. A stepped clock of the same shape makes every test deterministic. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since the epoch. */
  wall(): number
  /** Runs `fn` once after `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Runs `fn` after this turn of the event loop. */
  defer(fn: () => void): void
}

/** The machine's clock. This package sets a timer only while somebody waits. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
  defer: (fn) => void setImmediate(fn),
}
