import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

interface HeartbeatActions {
  /** Sends a ping carrying this time, if the link takes one. */
  ping(time: number): boolean
  /** Nothing was heard for the whole timeout. */
  silent(silenceMs: number): void
}

/**
 * Pings a link at a jittered interval, measures the round trip, and notices silence. Any frame
 * counts as life.
 */
export class Heartbeat {
  readonly #clock: Clock
  readonly #random: Random
  readonly #actions: HeartbeatActions
  #intervalMs = 0
  #timeoutMs = 0
  #heardMs = 0
  #nextPingMs = 0
  #pinged: { time: number; atMs: number } | undefined
  #smoothedMs: number | undefined
  #cancel: (() => void) | undefined

  constructor(clock: Clock, random: Random, actions: HeartbeatActions) {
    this.#clock = clock
    this.#random = random
    this.#actions = actions
  }

  /** Smoothed round trip, over all links. */
  get rttMs(): number | undefined {
    return this.#smoothedMs
  }

  start(intervalMs: number, timeoutMs: number): void {
    this.stop()
    this.#intervalMs = intervalMs
    this.#timeoutMs = timeoutMs
    this.#heardMs = this.#clock.now()
    // The first beat falls anywhere in the interval: after a restart the beats of all players are spread.
    this.#nextPingMs = this.#heardMs + intervalMs * this.#fraction()
    this.#arm()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#pinged = undefined
  }

  heard(): void {
    this.#heardMs = this.#clock.now()
  }

  /**
   * Takes a pong.
   *
   * @returns The round trip in milliseconds, or `undefined` when it answers no open ping.
   * @see RFC 6298, section 2, for the gain 1/8.
   */
  pong(time: number): number | undefined {
    if (this.#pinged?.time !== time) return undefined
    const rttMs = this.#clock.now() - this.#pinged.atMs
    this.#pinged = undefined
    this.#smoothedMs =
      this.#smoothedMs === undefined ? rttMs : this.#smoothedMs + (rttMs - this.#smoothedMs) / 8
    return rttMs
  }

  #arm(): void {
    const dueMs = Math.min(this.#nextPingMs, this.#heardMs + this.#timeoutMs)
    this.#cancel = this.#clock.setTimer(Math.max(0, Math.ceil(dueMs - this.#clock.now())), () =>
      this.#beat(dueMs),
    )
  }

  #beat(dueMs: number): void {
    this.#cancel = undefined
    const nowMs = this.#clock.now()
    if (nowMs - dueMs > this.#intervalMs) {
      // This process was asleep, not the other end: what came meanwhile is still to be read.
      this.#heardMs = Math.max(this.#heardMs, nowMs - this.#timeoutMs + this.#intervalMs)
    }
    if (nowMs - this.#heardMs >= this.#timeoutMs) {
      this.#actions.silent(nowMs - this.#heardMs)
      return
    }
    if (nowMs >= this.#nextPingMs) {
      this.#nextPingMs = nowMs + this.#intervalMs * (0.75 + 0.25 * this.#fraction())
      this.#arm()
      this.#ping(nowMs)
    } else {
      this.#arm()
    }
  }

  /** One ping at a time: behind one that is held up another would only be held up as well. */
  #ping(nowMs: number): void {
    if (this.#pinged !== undefined) return
    const time = Math.floor(nowMs) >>> 0
    if (this.#actions.ping(time)) this.#pinged = { time, atMs: nowMs }
  }

  #fraction(): number {
    const [low = 0, high = 0] = this.#random(2)
    return (low + high * 256) / 65536
  }
}
