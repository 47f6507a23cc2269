import type { DiscoveryError } from './errors.ts'

/** Who holds a key. */
export interface ClaimHolder {
  readonly key: string
  readonly value: string
  /** The holder's fencing token. */
  readonly fence: number
}

/** Exclusive ownership of a key for as long as this node's lease is held. */
export interface Claim extends ClaimHolder {
  /** Larger than that of every earlier claim in the store. Hand it to whatever the claim guards. */
  readonly fence: number
  /** Aborts with a `DiscoveryError` when the claim is lost or given up by the clock; not by `release`. */
  readonly signal: AbortSignal
  /** Monotonic milliseconds: while `now() < heldUntil` the claim is surely held. 0 once it is over. */
  readonly heldUntil: number
  /** Gives the key back. Safe to call twice, and after a loss. */
  release(): Promise<void>
}

export type ClaimOutcome =
  | { readonly claimed: true; readonly claim: Claim }
  | { readonly claimed: false; readonly holder: ClaimHolder }

export interface HeldClaimOptions extends ClaimHolder {
  readonly heldUntil: () => number
  readonly release: () => Promise<void>
}

export class HeldClaim implements Claim {
  readonly key: string
  readonly value: string
  readonly fence: number
  readonly #options: HeldClaimOptions
  readonly #abort = new AbortController()
  #isOver = false
  #releasing: Promise<void> | undefined

  constructor(options: HeldClaimOptions) {
    this.key = options.key
    this.value = options.value
    this.fence = options.fence
    this.#options = options
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get heldUntil(): number {
    return this.#isOver ? 0 : this.#options.heldUntil()
  }

  /** It is lost; whoever relied on it hears so. */
  lose(reason: DiscoveryError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#abort.abort(reason)
  }

  release(): Promise<void> {
    if (this.#releasing) return this.#releasing
    if (this.#isOver) return Promise.resolve()
    this.#isOver = true
    return (this.#releasing = this.#options.release())
  }
}
