import type { KcpOptions } from './options.ts'
import { serialDiff } from './serial.ts'

/** Tells when a link is dead: nothing acknowledged for a time, in which enough was sent again. */
export class LinkWatch {
  readonly #deadLinkMs: number
  readonly #deadLink: number
  #progressMs = 0
  /** Flushes: of one that was late all segments in flight are sent again at once. */
  #resendsInVain = 0

  constructor(options: KcpOptions) {
    this.#deadLinkMs = options.deadLinkMs ?? 30_000
    this.#deadLink = options.deadLink ?? 4
  }

  /** Something was acknowledged, nothing waits for it, or the peer said that it has no room now. */
  progressed(now: number): void {
    this.#progressMs = now
    this.#resendsInVain = 0
  }

  /** A flush sent something again. */
  resent(): void {
    this.#resendsInVain += 1
  }

  /** Milliseconds until it is dead unless there is progress: `Infinity` while too little was sent again. */
  patience(now: number): number {
    if (this.#deadLinkMs === 0 || this.#resendsInVain < this.#deadLink) return Infinity
    return serialDiff((this.#progressMs + this.#deadLinkMs) | 0, now)
  }
}
