import type { TimerCallback, TimerId, TimerKey } from './options.ts'
import type { Repetition } from './repetition.ts'
import { NONE } from './wheel.ts'

/** An id is generation * 2^24 + node. */
const NODES = 2 ** 24
const MAX_GENERATION = 2 ** 29 - 1

/** How many timers one `Timers` can hold. */
export const MAX_TIMERS: number = NODES

/** What is known of each timer, by node number, and which nodes are free. */
export class TimerTable {
  readonly fns: (TimerCallback | undefined)[] = []
  readonly keys: (TimerKey | undefined)[] = []
  readonly repetitions: (Repetition | undefined)[] = []
  size = 0
  capacity: number
  #generations: Int32Array
  /** For a free node the next free one, for a keyed timer the next of its key. */
  #next: Int32Array
  #previous: Int32Array
  #free: number = NONE
  #used = 0
  /** The first timer of each key. A key without timers is not in it. */
  readonly #heads = new Map<TimerKey, number>()

  constructor(capacity: number) {
    this.capacity = capacity
    this.#generations = new Int32Array(capacity)
    this.#next = new Int32Array(capacity)
    this.#previous = new Int32Array(capacity)
  }

  get isFull(): boolean {
    return this.#free === NONE && this.#used === this.capacity
  }

  get keyCount(): number {
    return this.#heads.size
  }

  grow(capacity: number): void {
    const copy = (from: Int32Array): Int32Array => {
      const to = new Int32Array(capacity)
      to.set(from)
      return to
    }
    this.capacity = capacity
    this.#generations = copy(this.#generations)
    this.#next = copy(this.#next)
    this.#previous = copy(this.#previous)
  }

  /** Takes a free node; there must be one. */
  take(fn: TimerCallback, key: TimerKey | undefined, repetition: Repetition | undefined): number {
    let node = this.#free
    if (node === NONE) {
      node = this.#used
      this.#used += 1
    } else this.#free = this.#next[node]!
    this.#generations[node]! += 1
    this.fns[node] = fn
    this.keys[node] = key
    this.repetitions[node] = repetition
    this.size += 1
    if (key !== undefined) this.#link(node, key)
    return node
  }

  release(node: number): void {
    const key = this.keys[node]
    if (key !== undefined) this.#unlink(node, key)
    this.fns[node] = undefined
    this.keys[node] = undefined
    this.repetitions[node] = undefined
    this.size -= 1
    // A node that has had every generation is never used again.
    const generation = this.#generations[node]!
    if (generation === MAX_GENERATION) return
    this.#next[node] = this.#free
    this.#free = node
  }

  idOf(node: number): TimerId {
    return this.#generations[node]! * NODES + node
  }

  /** The node of a living timer, else NONE. */
  nodeOf(id: TimerId): number {
    const node = id % NODES
    return node < this.#used && this.fns[node] !== undefined && this.idOf(node) === id ? node : NONE
  }

  /** A timer of this key, else NONE. */
  firstOf(key: TimerKey): number {
    return this.#heads.get(key) ?? NONE
  }

  /** The node after this one among the timers of its key, else NONE. */
  after(node: number): number {
    return this.#next[node]!
  }

  /** The living timers. */
  *nodes(): Generator<number, void, void> {
    for (let node = 0; node < this.#used; node += 1) if (this.fns[node] !== undefined) yield node
  }

  /** The second place in the list: the head, and with it the map, stays as it is. */
  #link(node: number, key: TimerKey): void {
    const head = this.#heads.get(key)
    if (head === undefined) {
      this.#heads.set(key, node)
      this.#next[node] = NONE
      this.#previous[node] = NONE
      return
    }
    const second = this.#next[head]!
    this.#next[node] = second
    this.#previous[node] = head
    this.#next[head] = node
    if (second !== NONE) this.#previous[second] = node
  }

  #unlink(node: number, key: TimerKey): void {
    const next = this.#next[node]!
    const previous = this.#previous[node]!
    if (next !== NONE) this.#previous[next] = previous
    if (previous !== NONE) this.#next[previous] = next
    else if (next !== NONE) this.#heads.set(key, next)
    else this.#heads.delete(key)
  }
}
