const FIRST_SLOTS = 64
/** Calls that last may be in the way of new ones; where so many are, the table grows. */
const MAX_TRIES = 16
const MAX_ID = 0xffffffff

/**
 * Calls by their ids, which it gives out: one after the other, and each is its own place in the table. So finding one
 * is reading one slot.
 */
export class CallTable<C extends { readonly id: number }> {
  #slots: (C | undefined)[] = empty(FIRST_SLOTS)
  #lastId = 0
  size = 0

  /** A free id. @param isTaken - Whether it is in use elsewhere. */
  nextId(isTaken: ((id: number) => boolean) | undefined): number {
    if (this.size === this.#slots.length) this.#grow()
    let id = this.#lastId
    for (let tries = 0; ; tries += 1) {
      id = id === MAX_ID ? 1 : id + 1
      if (this.#slots[id & (this.#slots.length - 1)] === undefined && isTaken?.(id) !== true) break
      if (tries >= MAX_TRIES && this.size * 2 > this.#slots.length) this.#grow()
    }
    this.#lastId = id
    return id
  }

  /** Under the id that was given out last. */
  add(call: C): void {
    this.#slots[call.id & (this.#slots.length - 1)] = call
    this.size += 1
  }

  get(id: number): C | undefined {
    const call = this.#slots[id & (this.#slots.length - 1)]
    return call !== undefined && call.id === id ? call : undefined
  }

  /** @returns Whether it was there. */
  delete(call: C): boolean {
    const slot = call.id & (this.#slots.length - 1)
    if (this.#slots[slot] !== call) return false
    this.#slots[slot] = undefined
    this.size -= 1
    return true
  }

  /** All of them, by their ids. */
  values(): C[] {
    return this.#slots.filter((call) => call !== undefined).sort((a, b) => a.id - b.id)
  }

  #grow(): void {
    const before = this.#slots
    this.#slots = empty(before.length * 2)
    for (const call of before) {
      if (call !== undefined) this.#slots[call.id & (this.#slots.length - 1)] = call
    }
  }
}

const empty = <C>(slots: number): (C | undefined)[] =>
  Array.from({ length: slots }, () => undefined)
