import type { DiscoveryError } from './errors.ts'

/** Who holds a key. */
export interface ClaimHolder {
  readonly key: string
  readonly value: string
  /** The holder's fencing token. */
  readonly fence: number
}

/** Something only this process has, for as long as its lease is held: a lock or the leadership. */
export interface Lock extends ClaimHolder {
  /** Larger than that of every earlier holder. Hand it to whatever is guarded, and have that refuse smaller ones. */
  readonly fence: number
  /** Aborts with a `DiscoveryError` when it is lost or given up by the clock; not by `release`. */
  readonly signal: AbortSignal
  /** Monotonic milliseconds: while `now() < heldUntil` it is surely held. 0 once it is over. */
  readonly heldUntil: number
  /** Gives it back. Safe to call twice, and after a loss. */
  release(): Promise<void>
}

/** What a process says to the one that is to have its claim; plain data, to be sent. */
export interface ClaimOffer {
  readonly key: string
  readonly fence: number
}

/** Exclusive ownership of a key for as long as this node's lease is held. */
export interface Claim extends Lock {
  /** Grows when an offer is withdrawn. */
  readonly fence: number
  /**
   * Lets another process have the claim through `registry.accept`. From now on this one may not act:
   * `heldUntil` is 0 until `withdraw` has it back. The key stays taken all the while.
   */
  offer(): ClaimOffer
  /**
   * Takes the offer back with a larger fence, so that a late `accept` fails. False when somebody has accepted
   * or it is lost; exactly one of the two gets the claim. `DISCOVERY_UNAVAILABLE` leaves it offered: try again.
   */
  withdraw(): Promise<boolean>
}

export type ClaimOutcome =
  | { readonly claimed: true; readonly claim: Claim }
  | { readonly claimed: false; readonly holder: ClaimHolder }

export interface HeldClaimOptions extends ClaimHolder {
  readonly heldUntil: () => number
  readonly release: (fence: number) => Promise<void>
  /** Writes the key again; gives the new fence, or `undefined` when it is no longer ours. */
  readonly renew: (claim: HeldClaim) => Promise<number | undefined>
}

export class HeldClaim implements Claim {
  readonly key: string
  readonly value: string
  readonly #options: HeldClaimOptions
  readonly #abort = new AbortController()
  #fence: number
  #isOver = false
  #isOffered = false
  #withdrawing: Promise<boolean> | undefined
  #releasing: Promise<void> | undefined

  constructor(options: HeldClaimOptions) {
    this.key = options.key
    this.value = options.value
    this.#fence = options.fence
    this.#options = options
  }

  get fence(): number {
    return this.#fence
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get heldUntil(): number {
    return this.#isOver || this.#isOffered ? 0 : this.#options.heldUntil()
  }

  offer(): ClaimOffer {
    this.#isOffered = true
    return { key: this.key, fence: this.#fence }
  }

  withdraw(): Promise<boolean> {
    if (!this.#isOffered || this.#isOver) return Promise.resolve(!this.#isOver)
    return (this.#withdrawing ??= this.#withdraw().finally(() => (this.#withdrawing = undefined)))
  }

  /** It is lost; whoever relied on it hears so. */
  lose(reason: DiscoveryError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#abort.abort(reason)
  }

  /** Another process, or another claim of this one, has it by agreement. */
  end(): void {
    this.#isOver = true
  }

  release(): Promise<void> {
    if (this.#releasing) return this.#releasing
    if (this.#isOver) return Promise.resolve()
    this.#isOver = true
    return (this.#releasing = this.#options.release(this.#fence))
  }

  async #withdraw(): Promise<boolean> {
    const fence = await this.#options.renew(this)
    if (this.#isOver) return false
    if (fence === undefined) {
      this.#isOver = true
      return false
    }
    this.#fence = fence
    this.#isOffered = false
    return true
  }
}
