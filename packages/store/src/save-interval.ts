import type { Clock } from './clock.ts'
import type { TrackedEntity } from './tracked-entity.ts'

/** Into so many turns the interval is divided; entities of one turn go to the store together. */
const SLOTS = 16

export interface SaveIntervalOptions {
  readonly intervalMs: number
  readonly clock: Clock
  /** Where in the interval this saver begins, in [0, 1), so that several do not act as one. */
  readonly phase: number
  readonly onDue: (entities: readonly TrackedEntity[]) => void
}

/** Lets each changed entity wait for its turn. The timer runs only while one waits. */
export class SaveInterval {
  readonly #slots: ReadonlyArray<Set<TrackedEntity>> = Array.from(
    { length: SLOTS },
    () => new Set(),
  )
  readonly #clock: Clock
  readonly #onDue: (entities: readonly TrackedEntity[]) => void
  readonly #slotMs: number
  readonly #originMs: number
  #waiting = 0
  #cancel: (() => void) | undefined

  constructor(options: SaveIntervalOptions) {
    this.#clock = options.clock
    this.#onDue = options.onDue
    this.#slotMs = options.intervalMs / SLOTS
    this.#originMs = options.clock.now() - options.phase * options.intervalMs
  }

  slotOf(index: number): number {
    return index % SLOTS
  }

  add(entity: TrackedEntity): void {
    this.#slots[entity.slot]?.add(entity)
    entity.place = 'slot'
    this.#waiting += 1
    this.#arm()
  }

  remove(entity: TrackedEntity): void {
    if (this.#slots[entity.slot]?.delete(entity) === true) this.#waiting -= 1
    if (this.#waiting === 0) this.stop()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#waiting === 0) return
    const now = this.#clock.now()
    const next = this.#turnAt(now) + 1
    const delayMs = Math.max(0, this.#originMs + next * this.#slotMs - now)
    this.#cancel = this.#clock.setTimer(delayMs, () => this.#take(next))
  }

  /** `turn` has come, even where rounding makes the clock say that it is about to. */
  #take(turn: number): void {
    this.#cancel = undefined
    const due: TrackedEntity[] = []
    // After a stall several turns have come; after a long one, all of them.
    const last = Math.max(turn, this.#turnAt(this.#clock.now()))
    for (let taken = Math.max(turn, last - SLOTS + 1); taken <= last; taken += 1) {
      const slot = this.#slots[taken % SLOTS]
      if (slot === undefined) continue
      due.push(...slot)
      this.#waiting -= slot.size
      slot.clear()
    }
    this.#arm()
    if (due.length > 0) this.#onDue(due)
  }

  #turnAt(now: number): number {
    return Math.floor((now - this.#originMs) / this.#slotMs)
  }
}
