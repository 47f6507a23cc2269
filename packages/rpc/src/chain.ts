/**
 * The handlers behind a call that hold a mailbox, outermost first: each waits for the next one, the last one for the
 * call. Servers carry it from call to call, so that a mailbox knows the chain that comes back to it.
 */
export type Chain = readonly number[]

export const NO_CHAIN: Chain = []
/** What a chain remembers: its last so many handlers. */
export const MAX_CHAIN = 64
const COUNTER_LIMIT = 2 ** 31
const PREFIX_BITS = 22

/** Gives the running handlers of one node numbers that no other node gives. Whole numbers below 2^53. */
export class FrameIds {
  readonly #base: number
  #last = 0

  /** @param name - Unique to this start of the node. */
  constructor(name: string) {
    // FNV-1a
    let hash = 0x811c9dc5
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    }
    this.#base = (hash >>> (32 - PREFIX_BITS)) * COUNTER_LIMIT
  }

  next(): number {
    this.#last = (this.#last + 1) % COUNTER_LIMIT
    return this.#base + this.#last
  }
}

/** The chain of the calls that a handler makes. */
export const extend = (chain: Chain, frameId: number): Chain =>
  chain.length < MAX_CHAIN ? [...chain, frameId] : [...chain.slice(1), frameId]
