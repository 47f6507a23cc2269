/** Datagrams this far behind the newest are still told apart; older ones count as replayed. */
export const REPLAY_WINDOW = 512
const WORDS = REPLAY_WINDOW / 32

/**
 * Which datagram counters were seen: a sliding bitmap behind the highest one.
 *
 * @see RFC 6479 for the ring of words that needs no shifting.
 */
export class ReplayWindow {
  // One word more than the window, so that clearing ahead never touches what is still in it.
  readonly #words: number[] = Array.from({ length: WORDS }, () => 0)
  #highest = -1

  /** The highest counter marked; -1 before the first. */
  get highest(): number {
    return this.#highest
  }

  /** Whether a datagram of this counter may still be taken. */
  isFresh(counter: number): boolean {
    if (counter > this.#highest) return true
    if (this.#highest - counter >= REPLAY_WINDOW - 32) return false
    const word = Math.floor(counter / 32) % WORDS
    return ((this.#words[word]! >>> (counter & 31)) & 1) === 0
  }

  /** Notes a counter whose datagram was authentic. */
  mark(counter: number): void {
    if (counter > this.#highest) {
      const from = Math.floor(this.#highest / 32)
      const to = Math.floor(counter / 32)
      const steps = Math.min(to - from, WORDS)
      for (let step = 0; step < steps; step += 1) this.#words[(to - step) % WORDS] = 0
      this.#highest = counter
    }
    const word = Math.floor(counter / 32) % WORDS
    this.#words[word] = this.#words[word]! | (1 << (counter & 31))
  }
}
