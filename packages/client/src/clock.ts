import type { Clock } from '@rts/rpc'
import { systemClock as backgroundClock } from '@rts/rpc/client'

/**
 * The real clock of browsers and Node. Unlike the one of `@rts/rpc` its timers keep a Node process
 * alive, as a socket does: between two dials they are all there is.
 */
export const systemClock: Clock = {
  ...backgroundClock,
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  },
}
