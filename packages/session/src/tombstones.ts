/** How a session ended, for a client that was away when it did. */
export interface Grave {
  readonly code: number
  readonly reason: string
  readonly confirmedEpoch: number
}

/**
 * Remembers ended sessions as long as a token of theirs may be valid, within a bound: a phone that
 * comes back from flight mode is told that it was replaced, and does not replace in turn.
 */
export class Tombstones {
  readonly #max: number
  readonly #ttlMs: number
  /** Oldest first, which is also the order in which they expire. */
  readonly #graves = new Map<string, { grave: Grave; untilMs: number }>()

  constructor(max: number, ttlMs: number) {
    this.#max = max
    this.#ttlMs = ttlMs
  }

  get size(): number {
    return this.#graves.size
  }

  add(id: string, grave: Grave, nowMs: number): void {
    this.#graves.delete(id)
    this.#graves.set(id, { grave, untilMs: nowMs + this.#ttlMs })
    for (const [oldest, { untilMs }] of this.#graves) {
      if (untilMs > nowMs && this.#graves.size <= this.#max) break
      this.#graves.delete(oldest)
    }
  }

  get(id: string, nowMs: number): Grave | undefined {
    const found = this.#graves.get(id)
    return found !== undefined && found.untilMs > nowMs ? found.grave : undefined
  }
}
