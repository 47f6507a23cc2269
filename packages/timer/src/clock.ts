/** Where time comes from. A test passes one that it steps by hand. */
export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number
  /** Milliseconds since 1970, as the wall shows them. */
  wall(): number
  /** Calls `fn` once, after at least `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Calls `fn` after this turn of the event loop. */
  defer(fn: () => void): void
}

/** What timers look like in Node; a browser gives numbers. */
interface NodeTimer {
  unref?(): void
}

function makeClock(isBackground: boolean): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimer: (delayMs, fn) => {
      const timer = setTimeout(fn, delayMs)
      if (isBackground) (timer as NodeTimer).unref?.()
      return () => clearTimeout(timer)
    },
    defer: (fn) => {
      if (typeof setImmediate === 'function') setImmediate(fn)
      else setTimeout(fn, 0)
    },
  }
}

/** The platform's own time, in Node and browsers alike. */
export const systemClock: Clock = makeClock(false)

/** The same; its timers do not keep a Node process alive. */
export const backgroundClock: Clock = makeClock(true)
