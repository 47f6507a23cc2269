/** Time as this package takes it; everything here can be stepped by a test. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970. */
  wall(): number
  /** Runs `fn` once after `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Runs `fn` after this turn. */
  defer(fn: () => void): void
}

/** The real clock. Its timers keep no process alive: what a log waits for, it also flushes at exit. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs).unref()
    return () => clearTimeout(timer)
  },
  defer: (fn) => void setImmediate(fn),
}
