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
}

/** The real clock. Its timers do not keep a Node process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    // Browsers return a number here.
    if (typeof timer === 'object') timer.unref()
    return () => clearTimeout(timer)
  },
  defer: typeof setImmediate === 'function' ? (fn) => void setImmediate(fn) : deferByChannel(),
}

/** Browsers clamp and throttle `setTimeout(0)`, but not messages. */
function deferByChannel(): (fn: () => void) => void {
  let queue: (() => void)[] = []
  const channel = new MessageChannel()
  channel.port1.addEventListener('message', () => {
    const due = queue
    queue = []
    for (const fn of due) fn()
  })
  channel.port1.start()
  return (fn) => {
    if (queue.push(fn) === 1) channel.port2.postMessage(0)
  }
}
