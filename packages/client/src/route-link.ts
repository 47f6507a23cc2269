import { CLOSE } from '@rts/rpc/client'
import type { Clock, Link } from '@rts/rpc'
import type { ClientSession } from '@rts/session'

/** Bytes of one route that may wait for the session. RPC refuses calls long before. */
const MAX_QUEUED_BYTES = 1024 * 1024

/** One binding of one route of the session, as a link for RPC to run on. */
export class RouteLink implements Link {
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  /** The route's name. */
  readonly remote: string
  readonly epoch: number
  readonly #session: ClientSession
  readonly #clock: Clock
  readonly #onBroken: (reason: string) => void
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isFull = false
  #isClosed = false

  /** @param onBroken - The link was closed from within: the server sent what it must not, or takes nothing. */
  constructor(
    route: string,
    epoch: number,
    session: ClientSession,
    clock: Clock,
    onBroken: (reason: string) => void,
  ) {
    this.remote = route
    this.epoch = epoch
    this.#session = session
    this.#clock = clock
    this.#onBroken = onBroken
  }

  get bufferedBytes(): number {
    return this.#queuedBytes
  }

  send(message: Uint8Array): boolean {
    if (this.#isClosed) return false
    if (!this.#isFull) {
      this.#isFull = !this.#session.send(this.remote, message)
      return !this.#isFull
    }
    this.#queuedBytes += message.length
    if (this.#queuedBytes > MAX_QUEUED_BYTES)
      this.close(CLOSE.slowReader, `${this.#queuedBytes} bytes wait for the gate`)
    else this.#queue.push(Uint8Array.from(message))
    return false
  }

  sendUnreliable(message: Uint8Array): boolean {
    return !this.#isClosed && this.#session.send(this.remote, message, 'state')
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#clock.defer(() => this.onClose(code, reason))
    if (code !== CLOSE.goingAway) this.#onBroken(reason)
  }

  /** A frame of the server. */
  receive(message: Uint8Array, unreliable: boolean): void {
    if (!this.#isClosed) this.onMessage(message, unreliable)
  }

  /** The session takes more again. */
  drained(): void {
    if (!this.#isFull || this.#isClosed) return
    this.#isFull = false
    while (!this.#isFull) {
      const message = this.#queue.shift()
      if (message === undefined) break
      this.#queuedBytes -= message.length
      this.#isFull = !this.#session.send(this.remote, message)
    }
    if (!this.#isFull) this.onDrain()
  }

  /** The binding is over. */
  end(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onClose(code, reason)
  }
}
