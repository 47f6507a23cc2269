/** One thing to run at one time. `sequence` breaks ties: what was asked for first runs first. */
export interface QueuedEvent {
  readonly atMs: number
  readonly sequence: number
  readonly run: () => void
  isCancelled: boolean
}

const isBefore = (a: QueuedEvent, b: QueuedEvent): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)

/** A binary heap of events in (time, sequence) order. */
export class EventQueue {
  #heap: QueuedEvent[] = []
  #sequence = 0
  #live = 0

  /** How many events wait, cancelled ones not counted. */
  get size(): number {
    return this.#live
  }

  push(atMs: number, run: () => void): QueuedEvent {
    const event: QueuedEvent = { atMs, sequence: this.#sequence++, run, isCancelled: false }
    this.#heap.push(event)
    this.#live += 1
    this.#rise(this.#heap.length - 1)
    return event
  }

  cancel(event: QueuedEvent): void {
    if (event.isCancelled) return
    event.isCancelled = true
    this.#live -= 1
    // Timers that are set and cancelled over and over must not pile up until their time comes.
    if (this.#heap.length > 64 && this.#live < this.#heap.length / 2) this.#compact()
  }

  peek(): QueuedEvent | undefined {
    while (this.#heap[0]?.isCancelled === true) this.#removeFirst()
    return this.#heap[0]
  }

  /** Takes the first event out; cancelling it afterwards does nothing. */
  pop(): QueuedEvent | undefined {
    const first = this.peek()
    if (first === undefined) return undefined
    this.#removeFirst()
    first.isCancelled = true
    this.#live -= 1
    return first
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #compact(): void {
    this.#heap = this.#heap.filter((event) => !event.isCancelled)
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index -= 1) this.#sink(index)
  }

  #rise(from: number): void {
    const heap = this.#heap
    const event = heap[from]!
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  #sink(from: number): void {
    const heap = this.#heap
    const event = heap[from]!
    let index = from
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, event)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = event
  }
}
