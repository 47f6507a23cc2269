const MAX_ENTRIES = 65_536
/** Late datagrams of one session that are answered. */
const ANSWERS = 3

interface Entry {
  readonly untilMs: number
  /** The last word of the session, sealed. */
  readonly answer: Uint8Array
  answersLeft: number
}

/**
 * Sessions that are over: their `conv` is not given out again for a while, and an end that has not noticed
 * is told, a few times, with no more bytes than it sent, from wherever it asks: its address may have changed.
 */
export class TimeWait {
  readonly #entries = new Map<number, Entry>()
  readonly #onForget: (conv: number) => void

  constructor(onForget: (conv: number) => void = () => {}) {
    this.#onForget = onForget
  }

  get size(): number {
    return this.#entries.size
  }

  add(conv: number, entry: Omit<Entry, 'answersLeft'>, nowMs: number): void {
    this.expire(nowMs)
    if (this.#entries.size >= MAX_ENTRIES) this.#forget(this.#entries.keys().next().value!)
    this.#entries.set(conv, { ...entry, answersLeft: ANSWERS })
  }

  has(conv: number): boolean {
    return this.#entries.has(conv)
  }

  /** What to answer a late datagram, if anything. */
  answer(conv: number, length: number): Uint8Array | undefined {
    const entry = this.#entries.get(conv)
    if (entry === undefined || entry.answersLeft === 0 || entry.answer.length > length)
      return undefined
    entry.answersLeft -= 1
    return entry.answer
  }

  /** Forgets what is past. All wait about as long, so the first in are the first out. */
  expire(nowMs: number): void {
    for (const [conv, { untilMs }] of this.#entries) {
      if (untilMs > nowMs) return
      this.#forget(conv)
    }
  }

  #forget(conv: number): void {
    this.#entries.delete(conv)
    this.#onForget(conv)
  }
}
