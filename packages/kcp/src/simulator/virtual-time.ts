interface Event {
  readonly atMs: number
  readonly order: number
  fn: (() => void) | undefined
}

/** The part of a clock a simulated link needs; a stepped clock of a test fits as well as `VirtualTime`. */
export interface SimulatorClock {
  /** Milliseconds. */
  now(): number
  /** Calls `fn` once after the delay. Returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
}

/** Time that passes only when told to, event by event. Events of one time happen in the order they were set. */
export class VirtualTime implements SimulatorClock {
  readonly #heap: Event[] = []
  #nowMs: number
  #order = 0

  constructor(startMs = 0) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, fn }
    this.#order += 1
    this.#add(event)
    return () => {
      event.fn = undefined
    }
  }

  /** Lets the next event happen; false when there is none. */
  step(): boolean {
    while (this.#heap.length > 0) if (this.#takeOne()) return true
    return false
  }

  /** Lets events happen up to and including `untilMs`, and stands there. */
  run(untilMs: number): void {
    while ((this.#heap[0]?.atMs ?? Infinity) <= untilMs) this.#takeOne()
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /** The first event happens, unless it was cancelled. */
  #takeOne(): boolean {
    const event = this.#takeFirst()
    if (event?.fn === undefined) return false
    this.#nowMs = event.atMs
    event.fn()
    return true
  }

  #add(event: Event): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #takeFirst(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
