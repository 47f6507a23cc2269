import { LINK_LOST } from './shared-codes.ts'
import { encodeClientFrame } from './frame-encoder.ts'
import type { SessionLink } from './link.ts'

export interface LinkHandlers {
  message(message: Uint8Array): void
  drained(): void
  closed(code: number, reason: string): void
}

/**
 * A link in use by exactly one owner. Once released it is silent: whatever the old link still
 * delivers, or a close that comes late, reaches nobody. A link that throws counts as closed.
 */
export class HeldLink {
  readonly link: SessionLink
  #handlers: LinkHandlers | undefined

  constructor(link: SessionLink, handlers: LinkHandlers) {
    this.link = link
    this.#handlers = handlers
    link.onMessage = (message) => this.#handlers?.message(message)
    link.onDrain = () => this.#handlers?.drained()
    link.onClose = (code, reason) => this.#release()?.closed(code, reason)
  }

  get isHeld(): boolean {
    return this.#handlers !== undefined
  }

  /** Gives the link another owner, with nothing lost in between. */
  handOver(handlers: LinkHandlers): void {
    if (this.#handlers !== undefined) this.#handlers = handlers
  }

  /** @returns `false` when the sender should wait for `drained`. */
  send(message: Uint8Array): boolean {
    if (this.#handlers === undefined) return false
    try {
      return this.link.send(message)
    } catch (error) {
      this.#release()?.closed(LINK_LOST, String(error))
      return false
    }
  }

  /** Says why, closes and releases. Never throws and never calls back. */
  close(code: number, reason: string): void {
    if (this.#release() === undefined) return
    try {
      this.link.send(encodeClientFrame({ type: 'bye', code, reason }))
    } catch {
      // A link that cannot take the reason any more is closed all the same.
    }
    this.#closeLink(code, reason)
  }

  /** Closes and releases without a word to the other end. */
  drop(code: number, reason: string): void {
    if (this.#release() !== undefined) this.#closeLink(code, reason)
  }

  #closeLink(code: number, reason: string): void {
    try {
      this.link.close(code, reason)
    } catch {
      // It is gone either way; a dead link must never hold up the session.
    }
  }

  #release(): LinkHandlers | undefined {
    const handlers = this.#handlers
    this.#handlers = undefined
    return handlers
  }
}
