import { IKCP_ASK_SEND, IKCP_ASK_TELL } from './constants.ts'
import { serialDiff } from './serial.ts'

/** What there is to ask and to tell about windows. */
export class WindowProbe {
  /** `IKCP_ASK_SEND`: to ask; `IKCP_ASK_TELL`: to tell. */
  pending = 0
  readonly #initMs: number
  readonly #limitMs: number
  /** 0 while the peer's window is open. */
  #waitMs = 0
  #dueMs = 0

  constructor(initMs: number, limitMs: number) {
    this.#initMs = Math.min(initMs, limitMs)
    this.#limitMs = limitMs
  }

  tell(): void {
    this.pending |= IKCP_ASK_TELL
  }

  /** At each flush: a closed window is asked about, with growing waits. */
  look(now: number, isClosed: boolean): void {
    if (!isClosed) this.#waitMs = 0
    else if (this.#waitMs === 0) {
      this.#waitMs = this.#initMs
      this.#dueMs = (now + this.#waitMs) | 0
    } else if (serialDiff(now, this.#dueMs) >= 0) {
      this.#waitMs = Math.min(this.#waitMs + (this.#waitMs >> 1), this.#limitMs)
      this.#dueMs = (now + this.#waitMs) | 0
      this.pending |= IKCP_ASK_SEND
    }
  }

  /** Milliseconds until a closed window wants the next look; 0 or less: now. */
  wait(now: number): number {
    return this.#waitMs === 0 ? 0 : serialDiff(this.#dueMs, now)
  }
}
