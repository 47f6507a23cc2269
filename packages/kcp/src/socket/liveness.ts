/** A client repeats its first datagram until the listener answers. */
const CONFIRM_MS = 200
/** A ping without an answer is repeated after this long at most; sooner when the session would not live through two of them. */
const REPING_MS = 2000
const REPINGS = 4
/** When the other end, after it was heard, says nothing for so long, a client looks whether the path still works. */
const HUSH_MS = 1500
/** When the system says that nobody listens there, a client asks so often, and believes it after so long without an answer. */
const REFUSED_PING_MS = 100
const REFUSED_MS = 500
const REFUSED_RTOS = 4
const REFUSED_TRIPS = 2

/** How a client finds out whether the other end and the path to it are still there: when it asks, and what it makes of silence. */
export class Liveness {
  readonly #keepaliveMs: number
  #pingMs = -Infinity
  /** Asked since the other end was heard. */
  #pings = 0
  /** Of the first that is not answered; -1 when there is none. */
  #firstPingMs = -1
  /** How long a ping and its answer took, or those that were lost before them as well. */
  #tripMs = 0
  /** Since when the other end might say something: its owner did last, or has something to acknowledge. */
  #hushFromMs = Infinity
  #refusedMs = Infinity

  constructor(keepaliveMs: number) {
    this.#keepaliveMs = keepaliveMs
  }

  /** The system says that nobody listens there. Anybody can make it say so, hence the other end is asked. */
  refused(nowMs: number): void {
    if (this.#refusedMs === Infinity) this.#refusedMs = nowMs
  }

  /** An authentic datagram came. */
  heard(): void {
    this.#pings = 0
    this.#refusedMs = Infinity
  }

  /** One with something of its owner's came. */
  heardOwner(nowMs: number): void {
    this.#hushFromMs = nowMs
  }

  /** Something that the other end has to acknowledge goes out. */
  said(nowMs: number): void {
    if (this.#hushFromMs === Infinity && this.#pings === 0) this.#hushFromMs = nowMs
  }

  answered(nowMs: number): void {
    if (this.#firstPingMs < 0) return
    this.#tripMs = nowMs - this.#firstPingMs
    this.#firstPingMs = -1
  }

  /** A ping goes out. Returns whether one before it is unanswered, with no word of the system on why. */
  asked(nowMs: number): boolean {
    const isUnanswered = this.#pings > 0 && this.#refusedMs === Infinity
    if (this.#firstPingMs < 0) this.#firstPingMs = nowMs
    this.#pings += 1
    this.#pingMs = nowMs
    this.#hushFromMs = Infinity
    return isUnanswered
  }

  /** When to ask next; a session that is not established asks to become so. */
  pingDueMs(isEstablished: boolean, lastHeardMs: number, lastSentMs: number): number {
    if (!isEstablished) return this.#pingMs + CONFIRM_MS * Math.min(this.#pings, 5)
    if (this.#refusedMs !== Infinity)
      return Math.max(this.#refusedMs, this.#pingMs + REFUSED_PING_MS)
    if (this.#pings > 0)
      return this.#pingMs + Math.min(REPING_MS, Math.floor(this.#keepaliveMs / REPINGS))
    const keepalive = Math.min(lastHeardMs, lastSentMs) + this.#keepaliveMs
    return Math.min(keepalive, this.#hushFromMs + HUSH_MS)
  }

  /** When a refusal that no answer has belied is believed. */
  refusalDueMs({ rxSrtt, rxRto }: { readonly rxSrtt: number; readonly rxRto: number }): number {
    if (this.#refusedMs === Infinity) return Infinity
    const patienceMs = rxSrtt === 0 ? REFUSED_TRIPS * this.#tripMs : REFUSED_RTOS * rxRto
    return this.#refusedMs + Math.max(REFUSED_MS, patienceMs)
  }
}
