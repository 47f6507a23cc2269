import type { Clock } from '../clock.ts'

/** How long all links together may parse in one turn of the event loop. */
const TURN_MS = 1
/** How long one of them may, so that the others come in between. */
const LINK_MS = 0.1

/** Reads on where it was interrupted. */
export interface Interrupted {
  /** @returns Whether there is still something left. */
  readOn(until: number): boolean
}

/** Shares the time for parsing among the links of one event loop, which is to say of one clock. */
export class ReadTurns {
  readonly #clock: Clock
  readonly #reset = (): void => {
    this.#isTurn = false
  }
  readonly #run = (): void => this.#readOn()
  #isTurn = false
  #turnEnds = 0
  #behind: Interrupted[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Until when a link may parse that begins now. What it does first it may do at any time. */
  until(shareMs: number = LINK_MS): number {
    const now = this.#clock.now()
    if (!this.#isTurn) {
      this.#isTurn = true
      this.#turnEnds = now + TURN_MS
      this.#clock.defer(this.#reset)
    }
    return Math.min(now + shareMs, this.#turnEnds)
  }

  /** It reads on in the next turn. */
  add(reader: Interrupted): void {
    if (this.#behind.push(reader) === 1) this.#clock.defer(this.#run)
  }

  #readOn(): void {
    const readers = this.#behind
    this.#behind = []
    const shareMs = Math.min(LINK_MS, TURN_MS / readers.length)
    for (const reader of readers) {
      if (reader.readOn(this.until(shareMs))) this.add(reader)
    }
  }
}

const turns = new WeakMap<Clock, ReadTurns>()

export function readTurnsOf(clock: Clock): ReadTurns {
  let of = turns.get(clock)
  if (of === undefined) {
    of = new ReadTurns(clock)
    turns.set(clock, of)
  }
  return of
}
