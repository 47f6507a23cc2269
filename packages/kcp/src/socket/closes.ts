import { KcpError } from '../errors.ts'
import { KCP_CLOSE } from './close-codes.ts'

const TELL_AGAIN_MS = 100
const MAX_TELLS = 6

/** How a conversation ended. */
export interface KcpCloseInfo {
  /** The number given to `close`, here or there; 1006 when there was none. */
  readonly code: number
  readonly reason: string
  /** Who ended it. */
  readonly by: 'local' | 'peer' | 'network'
  /** Why, unless it was closed on purpose. */
  readonly error?: KcpError
}

/** What a close of this end does next: deliver what was sent before it, tell the other end, or end. */
export type CloseStep = 'deliver' | 'tell' | 'wait' | 'end' | 'giveUp'

/** A close of this end: first all is delivered that was sent before it, then the other end is told until it answers. */
export class OwnClose {
  readonly info: KcpCloseInfo
  readonly #timeoutMs: number
  readonly #byMs: number
  #tells = 0
  #tellAgainMs = Infinity

  constructor(info: KcpCloseInfo, timeoutMs: number, nowMs: number) {
    this.info = info
    this.#timeoutMs = timeoutMs
    this.#byMs = nowMs + timeoutMs
  }

  /** The other end has been told: all that was sent had been delivered. */
  get isTold(): boolean {
    return this.#tells > 0
  }

  /** When to look again at what is next. */
  get dueMs(): number {
    return Math.min(this.#byMs, this.#tellAgainMs)
  }

  next(isDelivered: boolean, nowMs: number): CloseStep {
    const isTimeUp = nowMs >= this.#byMs
    if (!this.isTold) {
      if (isDelivered) return 'tell'
      return isTimeUp ? 'giveUp' : 'deliver'
    }
    if (isTimeUp) return 'end'
    if (nowMs < this.#tellAgainMs) return 'wait'
    return this.#tells < MAX_TELLS ? 'tell' : 'end'
  }

  told(nowMs: number, rtoMs: number): void {
    this.#tells += 1
    this.#tellAgainMs = nowMs + Math.max(TELL_AGAIN_MS, rtoMs)
  }

  /** How it ends when the other end has not acknowledged all that was sent. */
  undelivered(why = `that took longer than ${this.#timeoutMs} ms`): KcpCloseInfo {
    if (this.info.error !== undefined) return this.info
    const reason = `not all was delivered: ${why}`
    const error = new KcpError('KCP_TIMEOUT', reason)
    return { code: KCP_CLOSE.lost, reason, by: 'network', error }
  }
}

/** A close of the other end, while what it sent before is still to be read here. */
export class PeerClose {
  readonly info: KcpCloseInfo
  readonly #patienceMs: number
  /** Until when somebody must have read some of that. */
  #readByMs: number

  constructor(info: KcpCloseInfo, patienceMs: number, nowMs: number) {
    this.info = info
    this.#patienceMs = patienceMs
    this.#readByMs = nowMs + patienceMs
  }

  get readByMs(): number {
    return this.#readByMs
  }

  /** Some of it was read. */
  read(nowMs: number): void {
    this.#readByMs = nowMs + this.#patienceMs
  }

  /** How it ends when nobody reads on. */
  unread(): KcpCloseInfo {
    const reason = 'the other end has closed, and nobody read what it had sent'
    const error = new KcpError('KCP_SLOW_READER', reason)
    return { code: KCP_CLOSE.slowReader, reason, by: 'local', error }
  }
}
