import type { Clock } from './clock.ts'

const SLOTS = 512
/** How coarse deadlines are: one passes up to this much late, never early. */
const SLOT_MS = 16
/** The slot of those that count from the end of this turn. */
const FRESH = SLOTS

/** Something that ends at a time. The wheel links it in place: it belongs to one wheel at a time. */
export abstract class Timed {
  /** On the wheel's clock. */
  expiresAt = 0
  /** Owned by the wheel. */
  previous: Timed | undefined = undefined
  next: Timed | undefined = undefined
  slot = -1
  abstract expire(): void
}

/**
 * Deadlines by the hundred thousand: add and remove cost a few pointer writes, and one timer of the clock
 * serves them all. It wakes only for slots that hold something.
 */
export class DeadlineWheel {
  readonly #clock: Clock
  readonly #heads: (Timed | undefined)[] = Array.from({ length: SLOTS + 1 }, () => undefined)
  readonly #startFresh = (): void => this.#start()
  #size = 0
  /** The last bucket that has been looked at. */
  #turned = 0
  #wakeBucket = Infinity
  #cancelTimer: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#size
  }

  add(item: Timed, expiresAt: number): void {
    // An empty wheel has nothing to catch up with.
    if (this.#size === 0) this.#turned = this.#bucketNow() - 1
    // A whole number needs no box of its own on the heap.
    this.#put(item, Math.ceil(expiresAt))
  }

  /** As `add`, so long from the end of this turn of the event loop on: the clock is read once for all of a turn. */
  addFor(item: Timed, delayMs: number): void {
    if (this.#heads[FRESH] === undefined) {
      if (this.#size === 0) this.#turned = this.#bucketNow() - 1
      this.#clock.defer(this.#startFresh)
    }
    this.#link(item, Math.ceil(delayMs), FRESH)
  }

  /** Does nothing when the item is not on the wheel. */
  remove(item: Timed): void {
    if (item.slot < 0) return
    const { previous, next } = item
    if (previous === undefined) this.#heads[item.slot] = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    item.previous = undefined
    item.next = undefined
    item.slot = -1
    this.#size -= 1
  }

  /** Stops the timer; what is on the wheel never expires. */
  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#wakeBucket = -Infinity
  }

  #start(): void {
    const now = this.#clock.now()
    let item = this.#heads[FRESH]
    this.#heads[FRESH] = undefined
    while (item !== undefined) {
      const { next } = item
      item.previous = undefined
      this.#size -= 1
      this.#put(item, Math.ceil(now + item.expiresAt))
      item = next
    }
  }

  #put(item: Timed, expiresAt: number): void {
    const bucket = Math.max(Math.ceil(expiresAt / SLOT_MS), this.#turned + 1)
    this.#link(item, expiresAt, bucket & (SLOTS - 1))
    if (bucket < this.#wakeBucket) this.#wakeAt(bucket)
  }

  #link(item: Timed, expiresAt: number, slot: number): void {
    const head = this.#heads[slot]
    item.expiresAt = expiresAt
    item.slot = slot
    item.next = head
    if (head !== undefined) head.previous = item
    this.#heads[slot] = item
    this.#size += 1
  }

  #bucketNow(): number {
    return Math.floor(this.#clock.now() / SLOT_MS)
  }

  #wakeAt(bucket: number): void {
    this.#cancelTimer?.()
    this.#wakeBucket = bucket
    const delay = Math.max(0, bucket * SLOT_MS - this.#clock.now())
    this.#cancelTimer = this.#clock.setTimer(delay, () => this.#turn())
  }

  #turn(): void {
    this.#cancelTimer = undefined
    this.#wakeBucket = Infinity
    const bucketNow = this.#bucketNow()
    const now = this.#clock.now()
    const expired: Timed[] = []
    const from = Math.max(this.#turned + 1, bucketNow - SLOTS + 1)
    for (let bucket = from; bucket <= bucketNow; bucket++) {
      let item = this.#heads[bucket & (SLOTS - 1)]
      while (item !== undefined) {
        const { next } = item
        if (item.expiresAt <= now) {
          this.remove(item)
          expired.push(item)
        }
        item = next
      }
    }
    this.#turned = bucketNow
    this.#scheduleNext(bucketNow)
    for (const item of expired) item.expire()
  }

  #scheduleNext(bucketNow: number): void {
    if (this.#size === 0) return
    for (let bucket = bucketNow + 1; bucket <= bucketNow + SLOTS; bucket++) {
      if (this.#heads[bucket & (SLOTS - 1)] !== undefined) {
        this.#wakeAt(bucket)
        return
      }
    }
  }
}
