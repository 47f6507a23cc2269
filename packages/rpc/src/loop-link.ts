import type { Clock } from './clock.ts'
import { CLOSE } from './close-codes.ts'
import type { Link } from './link.ts'

/** A link whose other end is itself: the peer that handlers see when their own node calls them. */
export class LoopLink implements Link {
  readonly remote: string
  readonly bufferedBytes: number = 0
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #clock: Clock
  #isOpen = true

  constructor(remote: string, clock: Clock) {
    this.remote = remote
    this.#clock = clock
  }

  send(message: Uint8Array): boolean {
    if (!this.#isOpen) return false
    const copy = message.slice()
    this.#clock.defer(() => {
      if (this.#isOpen) this.onMessage(copy)
    })
    return true
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#clock.defer(() => this.onClose(code, reason))
  }
}
