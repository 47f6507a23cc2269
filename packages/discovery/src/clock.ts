/** Time as this package uses it. A stepped clock of the same shape makes every test deterministic. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since the epoch; only for names and log lines. */
  wall(): number
  /** Runs `fn` once after `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Runs `fn` after this turn of the event loop. */
  defer(fn: () => void): void
}

/** The machine's clock. A timer of it keeps the process alive: somebody waits for what it ends. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
  defer: (fn) => void setImmediate(fn),
}

const systemBackground: Clock = {
  ...systemClock,
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** The clock for what nobody waits for. On the machine's clock its timers never keep the process alive. */
export const inBackground = (clock: Clock): Clock =>
  clock === systemClock ? systemBackground : clock
