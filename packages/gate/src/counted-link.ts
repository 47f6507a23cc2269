import type { Link } from '@rts/rpc'
import type { SessionLink } from '@rts/session'

/** A player's link that says when it is gone, whoever holds its handlers. */
export class CountedLink implements SessionLink {
  onMessage: (message: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #link: Link

  constructor(link: Link, onGone: () => void) {
    this.#link = link
    link.onMessage = (message) => this.onMessage(message)
    link.onDrain = () => this.onDrain()
    link.onClose = (code, reason) => {
      onGone()
      this.onClose(code, reason)
    }
  }

  get remote(): string {
    return this.#link.remote
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes
  }

  send(message: Uint8Array): boolean {
    return this.#link.send(message)
  }

  close(code?: number, reason?: string): void {
    this.#link.close(code, reason)
  }
}
