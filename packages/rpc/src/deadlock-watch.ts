import type { Clock } from './clock.ts'
import type { IncomingCall } from './incoming-call.ts'

/** A question that goes along who waits for whom: does it come back to the call that asked? */
export interface Probe {
  /** The waiting call that asks, and how often it has. */
  readonly origin: number
  readonly round: number
  readonly hops: number
  /** Whom it passed, to name the chain. */
  readonly trail: readonly string[]
}

/** A call made by a handler, which waits for its answer. */
export interface Asked {
  /** Sends a probe to where it is handled. */
  probe(probe: Probe): void
}

/** A call waits so long before it asks, and then between asking again. */
const ASK_AFTER_MS = 200
const ASK_EVERY_MS = 1000
const TICK_MS = 100
const MAX_HOPS = 32
/** Calls of one handler that a probe follows. */
const MAX_FAN_OUT = 32

interface Watched {
  askAt: number
  round: number
  readonly fail: (trail: readonly string[]) => void
}

/**
 * Finds chains that wait for one another. A call that waits in a mailbox and was made by a handler that holds one
 * sends probes along who waits for whom. Of all calls on a circle only the one with the highest number sees its probe
 * come back, so exactly one fails.
 */
export class DeadlockWatch {
  readonly #clock: Clock
  readonly #watched = new Map<IncomingCall, Watched>()
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The call waits in its mailbox. What no handler with a mailbox waits for is on no circle. */
  add(call: IncomingCall, fail: (trail: readonly string[]) => void): void {
    if (call.chain.length === 0) return
    this.#watched.set(call, { askAt: this.#clock.now() + ASK_AFTER_MS, round: 0, fail })
    this.#cancelTimer ??= this.#clock.setTimer(TICK_MS, () => this.#tick())
  }

  remove(call: IncomingCall): void {
    if (this.#watched.delete(call) && this.#watched.size === 0) this.stop()
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** A probe has come to a call that is handled here, or waits to be. */
  onProbe(probe: Probe, call: IncomingCall): void {
    if (call.frameId === probe.origin) {
      this.#watched.get(call)?.fail([...probe.trail, call.describe()])
      return
    }
    if (probe.hops >= MAX_HOPS) return
    if (call.waiting === undefined) this.#follow(probe, call)
    else if (call.frameId < probe.origin) this.#passWaiting(probe, call)
  }

  #tick(): void {
    this.#cancelTimer = this.#clock.setTimer(TICK_MS, () => this.#tick())
    const now = this.#clock.now()
    for (const [call, watched] of this.#watched) {
      if (watched.askAt > now) continue
      watched.askAt = now + ASK_EVERY_MS
      watched.round += 1
      const { round } = watched
      this.#passWaiting({ origin: call.frameId, round, hops: 0, trail: [] }, call)
    }
  }

  #passWaiting(probe: Probe, call: IncomingCall): void {
    const next = { ...probe, trail: [...probe.trail, call.describe()] }
    for (const blocker of call.mailbox?.blockersOf(call) ?? []) this.#follow(next, blocker)
  }

  #follow(probe: Probe, handler: IncomingCall): void {
    const { origin, round, hops, trail } = probe
    // It has been here: following it again finds nothing new.
    if (handler.probedBy?.origin === origin && handler.probedBy.round === round) return
    handler.probedBy = probe
    const next = { origin, round, hops: hops + 1, trail: [...trail, handler.describe()] }
    let followed = 0
    for (const asked of handler.asked) {
      if (++followed > MAX_FAN_OUT) return
      asked.probe(next)
    }
  }
}
