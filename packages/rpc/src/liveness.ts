import type { Clock } from './clock.ts'
import { checkLife, forgive, type RpcPeer } from './peer.ts'

/** Pings the server links of a node and closes those that have gone silent. */
export class Liveness {
  readonly #clock: Clock
  readonly #pingIntervalMs: number
  readonly #pingTimeoutMs: number
  readonly #tickMs: number
  readonly #peers = new Set<RpcPeer>()
  #lastTickAt = 0
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock, pingIntervalMs: number, pingTimeoutMs: number) {
    this.#clock = clock
    this.#pingIntervalMs = pingIntervalMs
    this.#pingTimeoutMs = pingTimeoutMs
    this.#tickMs = Math.max(1, Math.min(pingIntervalMs / 2, pingTimeoutMs / 8))
  }

  watch(peer: RpcPeer): void {
    this.#peers.add(peer)
    if (this.#cancelTimer === undefined) {
      this.#lastTickAt = this.#clock.now()
      this.#schedule()
    }
  }

  forget(peer: RpcPeer): void {
    this.#peers.delete(peer)
    if (this.#peers.size === 0) this.stop()
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #schedule(): void {
    this.#cancelTimer = this.#clock.setTimer(this.#tickMs, () => this.#tick())
  }

  #tick(): void {
    const now = this.#clock.now()
    const late = now - this.#lastTickAt - this.#tickMs
    this.#lastTickAt = now
    this.#schedule()
    // A process that stood still has not read what arrived meanwhile.
    const forgiven = late > this.#tickMs ? late : 0
    // The next look comes a tick later, and a busy loop is late: so a silence ends within the timeout, not after it.
    const silenceMs = this.#pingTimeoutMs - this.#tickMs * 1.25
    for (const peer of this.#peers) {
      if (forgiven > 0) forgive(peer, forgiven)
      checkLife(peer, now, this.#pingIntervalMs, silenceMs)
    }
  }
}
