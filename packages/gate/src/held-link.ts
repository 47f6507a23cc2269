import { CLOSE, type Link } from '@rts/rpc'

export interface HeldLinkOptions {
  readonly remote: string
  /** Bytes of the player that may wait until the session is ready. */
  readonly maxHeldBytes: number
  /** Bytes for the player that may be on their way to the gate. */
  readonly windowBytes: number
  /** Asks the gate, behind all that was sent, whether the player keeps up. */
  readonly ask: () => Promise<boolean>
}

/** Bytes for the player that may wait here. RPC refuses calls long before. */
const MAX_QUEUED_BYTES = 1024 * 1024

/**
 * A virtual link as the RPC of a backend sees it. What the player sends waits until the session is ready.
 * What is sent to the player goes a window at a time, and waits here while they do not keep up.
 */
export class HeldLink implements Link {
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #link: Link
  readonly #options: HeldLinkOptions
  #held: { readonly message: Uint8Array; readonly unreliable: boolean }[] | undefined = []
  #heldBytes = 0
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #windowBytes: number
  /** The gate said to wait, or has not answered yet. */
  #isPaused = false
  /** The link to the gate said to wait. */
  #isFull = false
  #isClosed = false

  constructor(link: Link, options: HeldLinkOptions) {
    this.#link = link
    this.#options = options
    this.#windowBytes = options.windowBytes
    link.onMessage = (message, unreliable = false) => this.#receive(message, unreliable)
    link.onDrain = () => {
      this.#isFull = false
      this.#flush()
    }
    link.onClose = (code, reason) => {
      this.#isClosed = true
      this.onClose(code, reason)
    }
  }

  get remote(): string {
    return this.#options.remote
  }

  get bufferedBytes(): number {
    return this.#queuedBytes + this.#link.bufferedBytes
  }

  send(message: Uint8Array): boolean {
    if (this.#isClosed) return false
    if (!this.#isPaused) {
      this.#transmit(message)
      return !this.#isPaused && !this.#isFull
    }
    this.#queuedBytes += message.length
    if (this.#queuedBytes > MAX_QUEUED_BYTES)
      this.close(CLOSE.slowReader, `${this.#queuedBytes} bytes wait for the player`)
    else this.#queue.push(Uint8Array.from(message))
    return false
  }

  /** The newest state is not held up: the gate keeps nothing older anyway. */
  sendUnreliable(message: Uint8Array): boolean {
    return this.#link.sendUnreliable === undefined
      ? this.send(message)
      : this.#link.sendUnreliable(message)
  }

  close(code?: number, reason?: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#held = undefined
    // What RPC was told is sent goes before the end.
    for (const message of this.#queue.splice(0)) this.#link.send(message)
    this.#queuedBytes = 0
    this.#link.close(code, reason)
  }

  /** The session is ready: what the player sent meanwhile comes now. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const { message, unreliable } of held) this.onMessage(message, unreliable)
  }

  /** The gate says that the player does not keep up. */
  pause(): void {
    this.#isPaused = true
  }

  /** The gate says that the player keeps up. */
  resume(): void {
    this.#isPaused = false
    this.#windowBytes = this.#options.windowBytes
    this.#flush()
  }

  #transmit(message: Uint8Array): void {
    if (!this.#link.send(message)) this.#isFull = true
    this.#windowBytes -= message.length
    if (this.#windowBytes > 0) return
    this.#isPaused = true
    this.#options.ask().then(
      (keepsUp) => {
        if (keepsUp) this.resume()
      },
      // A gate that does not answer is found out by its link; until then nothing speaks against it.
      () => this.resume(),
    )
  }

  #flush(): void {
    while (!this.#isPaused && !this.#isFull && !this.#isClosed) {
      const message = this.#queue.shift()
      if (message === undefined) {
        this.onDrain()
        return
      }
      this.#queuedBytes -= message.length
      this.#transmit(message)
    }
  }

  #receive(message: Uint8Array, unreliable: boolean): void {
    if (this.#held === undefined) {
      this.onMessage(message, unreliable)
      return
    }
    this.#heldBytes += message.length
    if (this.#heldBytes > this.#options.maxHeldBytes)
      this.close(CLOSE.slowReader, `${this.#heldBytes} bytes came before the session was ready`)
    else this.#held.push({ message: Uint8Array.from(message), unreliable })
  }
}
