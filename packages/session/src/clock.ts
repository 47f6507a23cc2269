/** Time as this package sees it. A stepped clock of a test and the system's clock both fit. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean something. */
  now(): number
  /** Milliseconds since 1970, for what must mean the same in another process. */
  wall(): number
  /** Calls `fn` once, `delayMs` from now. Returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Calls `fn` after the running turn. */
  defer(fn: () => void): void
}

/** The real clock of browsers and Node. Its timers do not keep a Node process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    // Browsers return a number here.
    if (typeof timer === 'object') timer.unref()
    return () => clearTimeout(timer)
  },
  defer(fn) {
    if (typeof setImmediate === 'function') setImmediate(fn)
    else setTimeout(fn, 0)
  },
}
