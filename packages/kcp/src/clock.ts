/** Time as this package takes it; a test passes a clock it can step. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since the epoch. */
  wall(): number
  /** Calls `fn` once after the delay. Returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Calls `fn` after this turn of the event loop. */
  defer(fn: () => void): void
  /** How long the event loop has worked and has waited so far, in milliseconds. Left out: it is never busy. */
  loopTimes?(): { readonly active: number; readonly idle: number }
}

/** The real clock. Its timers do not keep the process alive; an open socket does. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  defer: (fn) => void setImmediate(fn),
  loopTimes: () => performance.eventLoopUtilization(),
}
