/** No node, or no list. */
export const NONE = -1

const SLOT_BITS = 6
const SLOTS = 64
/** Nine levels of six bits cover every whole number of ticks that a double holds exactly. */
const LEVELS = 9
const LOW_LEVELS = 5
/** Ticks that the low levels tell apart; bit operations work on the two halves. */
const LOW = 2 ** (SLOT_BITS * LOW_LEVELS)
/** Nodes whose deadline the wheel has passed already. */
const DUE = LEVELS * SLOTS
/** Nodes that were in DUE when the running pass began. */
const FIRING = DUE + 1
const LISTS = FIRING + 1

/**
 * A hierarchical timing wheel over numbered nodes. Level n has 64 slots of 64^n ticks; a node sits in the lowest level
 * at which its deadline and the wheel's time differ, and moves down a level (a *cascade*) when the wheel reaches its
 * slot. Bitmaps of non-empty slots tell the next event without stepping through empty ticks.
 *
 * Nodes of one tick leave in the order in which they were put in: a slot is cascaded before anything can be put
 * into the finer slots below it.
 */
export class Wheel {
  /** The tick up to which every slot has been handled. */
  elapsed = 0
  count = 0
  #next: Int32Array
  #previous: Int32Array
  /** Which list a node is in. */
  #list: Int16Array
  #deadline: Float64Array
  readonly #heads: Int32Array = new Int32Array(LISTS).fill(NONE)
  readonly #tails: Int32Array = new Int32Array(LISTS).fill(NONE)
  /** Two words of 32 slots per level. */
  readonly #filled: Int32Array = new Int32Array(LEVELS * 2)

  constructor(capacity: number) {
    this.#next = new Int32Array(capacity)
    this.#previous = new Int32Array(capacity)
    this.#list = new Int16Array(capacity).fill(NONE)
    this.#deadline = new Float64Array(capacity)
  }

  /** Lets the time of an empty wheel pass. */
  skipTo(tick: number): void {
    if (this.count === 0 && tick > this.elapsed) this.elapsed = tick
  }

  /** Makes room for more nodes. */
  grow(capacity: number): void {
    const list = new Int16Array(capacity).fill(NONE)
    list.set(this.#list)
    this.#list = list
    this.#next = grown(this.#next, new Int32Array(capacity))
    this.#previous = grown(this.#previous, new Int32Array(capacity))
    this.#deadline = grown(this.#deadline, new Float64Array(capacity))
  }

  /** Whether the node waits in the wheel. */
  holds(node: number): boolean {
    return this.#list[node] !== NONE
  }

  /** Puts a node in. A deadline that has passed already is due in the next pass. */
  insert(node: number, deadline: number): void {
    this.#deadline[node] = deadline
    this.count += 1
    this.#append(node, this.#listFor(deadline))
  }

  remove(node: number): void {
    const list = this.#list[node]!
    const next = this.#next[node]!
    const previous = this.#previous[node]!
    if (previous === NONE) this.#heads[list] = next
    else this.#next[previous] = next
    if (next === NONE) this.#tails[list] = previous
    else this.#previous[next] = previous
    this.#list[node] = NONE
    this.count -= 1
    if (this.#heads[list] === NONE && list < DUE) this.#unfill(list)
  }

  /** The tick at which the wheel wants to be looked at next; `Infinity` when it is empty. */
  nextTick(): number {
    if (this.#heads[DUE] !== NONE || this.#heads[FIRING] !== NONE) return this.elapsed
    const list = this.#firstFilled()
    return list === NONE ? Infinity : this.#startOf(list)
  }

  /** Starts a pass: what becomes due at once from now on waits for the next one. */
  begin(): void {
    for (let node = this.#heads[DUE]!; node !== NONE; node = this.#heads[DUE]!) {
      this.remove(node)
      this.count += 1
      this.#append(node, FIRING)
    }
  }

  /** Takes the next node whose deadline is `now` or earlier out of the wheel, in the order of deadlines, else NONE. */
  take(now: number): number {
    if (this.#heads[FIRING] !== NONE) return this.#takeHead(FIRING)
    for (;;) {
      const list = this.#firstFilled()
      const start = list === NONE ? Infinity : this.#startOf(list)
      if (start > now) {
        if (now > this.elapsed) this.elapsed = now
        return NONE
      }
      this.elapsed = start
      if (list < SLOTS) return this.#takeHead(list)
      this.#cascade(list)
    }
  }

  #takeHead(list: number): number {
    const node = this.#heads[list]!
    this.remove(node)
    return node
  }

  /** Moves all nodes of a slot down, in their order. */
  #cascade(list: number): void {
    let node = this.#heads[list]!
    this.#heads[list] = NONE
    this.#tails[list] = NONE
    this.#unfill(list)
    while (node !== NONE) {
      const next = this.#next[node]!
      this.#append(node, this.#cascadeListFor(this.#deadline[node]!))
      node = next
    }
  }

  /** As `#listFor`; a deadline that is reached this very moment keeps its place among the others of its tick. */
  #cascadeListFor(deadline: number): number {
    return deadline === this.elapsed ? this.elapsed % SLOTS : this.#listFor(deadline)
  }

  #listFor(deadline: number): number {
    const { elapsed } = this
    if (deadline <= elapsed) return DUE
    const high = Math.floor(deadline / LOW)
    const elapsedHigh = Math.floor(elapsed / LOW)
    if (high === elapsedHigh) {
      const low = deadline - high * LOW
      const level = levelOf(low ^ (elapsed - high * LOW))
      return level * SLOTS + ((low >>> (level * SLOT_BITS)) & (SLOTS - 1))
    }
    const level = levelOf(high ^ elapsedHigh)
    return (LOW_LEVELS + level) * SLOTS + ((high >>> (level * SLOT_BITS)) & (SLOTS - 1))
  }

  #append(node: number, list: number): void {
    const tail = this.#tails[list]!
    this.#list[node] = list
    this.#next[node] = NONE
    this.#previous[node] = tail
    this.#tails[list] = node
    if (tail !== NONE) {
      this.#next[tail] = node
      return
    }
    this.#heads[list] = node
    if (list < DUE) this.#filled[list >> 5]! |= 1 << (list & 31)
  }

  #unfill(list: number): void {
    this.#filled[list >> 5]! &= ~(1 << (list & 31))
  }

  /** The non-empty slot that is reached first: lower levels end before higher ones begin. */
  #firstFilled(): number {
    for (let word = 0; word < LEVELS * 2; word += 1) {
      const bits = this.#filled[word]!
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits)
    }
    return NONE
  }

  /** The first tick of a slot. */
  #startOf(list: number): number {
    const level = list >> SLOT_BITS
    const unit = SLOTS ** level
    const span = unit * SLOTS
    return Math.floor(this.elapsed / span) * span + (list & (SLOTS - 1)) * unit
  }
}

const levelOf = (difference: number): number => ((31 - Math.clz32(difference)) / SLOT_BITS) | 0

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}
