import type { Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { bufferedBytesFor, messageBytesFor } from '../limits.ts'
import type { Link, LinkOptions } from '../link.ts'

const MAX_HIGH_WATER_BYTES = 256 * 1024

/** Carries things one way between two ends of this process, in order, each once or never. */
export interface Courier {
  carry(bytes: number, arrive: () => void): void
  /** Forgets what is under way. */
  clear(): void
}

/** One end of a link inside this process. */
export class PairLink implements Link {
  readonly remote: string
  maxMessageBytes: number
  maxBufferedBytes: number
  bufferedBytes = 0
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #out: Courier
  readonly #clock: Clock
  readonly #onGone: () => void
  #other: PairLink | undefined
  #isOpen = true
  #isClosed = false
  #wantsDrain = false

  /** @param onGone - Called once, when the link is over at this end. */
  constructor(
    remote: string,
    out: Courier,
    clock: Clock,
    options: LinkOptions,
    onGone: () => void,
  ) {
    this.remote = remote
    this.#out = out
    this.#clock = clock
    this.#onGone = onGone
    this.maxMessageBytes = options.maxMessageBytes ?? messageBytesFor(options.trust)
    this.maxBufferedBytes = options.maxBufferedBytes ?? bufferedBytesFor(options.trust)
  }

  static join(a: PairLink, b: PairLink): void {
    a.#other = b
    b.#other = a
  }

  send(message: Uint8Array): boolean {
    if (!this.#isOpen) return false
    const size = message.length
    if (this.bufferedBytes + size > this.maxBufferedBytes) {
      this.reset(CLOSE.slowReader, `${this.bufferedBytes} bytes wait for ${this.remote}`)
      return false
    }
    const copy = new Uint8Array(message)
    this.bufferedBytes += size
    this.#out.carry(size, () => {
      this.bufferedBytes -= size
      this.#other?.arrive(copy)
      this.#drain()
    })
    const isLow = this.bufferedBytes < this.#highWater()
    if (!isLow) this.#wantsDrain = true
    return isLow
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#out.carry(0, () => this.#other?.end(code, reason))
    this.#clock.defer(() => this.end(code, reason))
  }

  /** Ends it at both sides with no flush: the other end learns no more than that it is lost. */
  reset(code: number = CLOSE.lost, reason = 'reset'): void {
    if (this.#isClosed) return
    this.#isOpen = false
    this.#out.clear()
    this.#out.carry(0, () => this.#other?.end(CLOSE.lost, 'reset by the other end'))
    this.#clock.defer(() => this.end(code, reason))
  }

  arrive(message: Uint8Array): void {
    if (!this.#isOpen) return
    if (message.length > this.maxMessageBytes) {
      this.close(CLOSE.tooLarge, `a message of ${message.length} bytes`)
      return
    }
    this.onMessage(message)
  }

  /** The link is over at this end, now. */
  end(code: number, reason: string): void {
    this.#isOpen = false
    if (this.#isClosed) return
    this.#isClosed = true
    this.#onGone()
    this.onClose(code, reason)
  }

  #highWater(): number {
    return Math.min(MAX_HIGH_WATER_BYTES, this.maxBufferedBytes / 2)
  }

  #drain(): void {
    if (!this.#wantsDrain || !this.#isOpen || this.bufferedBytes * 2 > this.#highWater()) return
    this.#wantsDrain = false
    this.onDrain()
  }
}
