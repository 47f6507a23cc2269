function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x85_eb_ca_6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2_b2_ae_35)
  return x ^ (x >>> 16)
}

/**
 * Randomness looked up instead of drawn: the same (seed, time, index, throw) always gives the same number. What
 * happens to a datagram so depends on when it is sent and not on how many went before, and contenders on one link meet
 * the same fate.
 */
export class Dice {
  readonly #seed: number
  #key = 0

  constructor(seed: number, stream: number) {
    this.#seed = mix(mix(seed) ^ Math.imul(stream + 1, 0x9e_37_79_b1))
  }

  /** Chooses the datagram: its time in whole milliseconds and its index among those of that time. */
  at(timeMs: number, index: number): void {
    this.#key = mix(mix(this.#seed ^ (timeMs | 0)) ^ Math.imul(index + 1, 0x85_eb_ca_77))
  }

  /** The `index`-th throw for this datagram, in [0, 1). */
  throw(index: number): number {
    return (mix(this.#key ^ Math.imul(index + 1, 0xc2_b2_ae_3d)) >>> 0) / 2 ** 32
  }
}

/** Random numbers in sequence, for what has no datagram: mulberry32. */
export function sequence(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}
