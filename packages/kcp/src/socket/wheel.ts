import type { Clock } from '../clock.ts'

const SLOT_MS = 2
const SLOTS = 1024
const MASK = SLOTS - 1
const BITMAP_WORDS = SLOTS / 32
/** Deadlines further away than this may be late by as much as a step, so that many share one. */
const FAR_MS = 1000
const FAR_STEP_MS = 128
/** Deadlines beyond it wait in its last slot and are looked at again from there. */
const HORIZON_MS = SLOT_MS * (SLOTS - 1)
/** So many entries have their turn before the sockets are read again. */
const MAX_RUN = 64
/** Deadlines wait so long at most for datagrams that have come and are not read yet. */
const MAX_PATIENCE_MS = 100

/** What waits on a wheel; the fields are the wheel's. */
export class WheelEntry {
  dueMs: number = Infinity
  slot: number = -1
  next: WheelEntry | undefined
  previous: WheelEntry | undefined
  /** Called once its time has come; it is off the wheel then. */
  onDue(_nowMs: number): void {}
}

/**
 * The deadlines of all sessions of one socket: slots of 2 ms, linked lists through the entries, one
 * real timer armed for the first slot in use.
 *
 * An event loop that is late runs its timers before it reads its sockets. What is due then is often answered
 * already by datagrams in the socket's queue; to send it again would make the loop later still. So the wheel
 * turns after the socket has been read.
 */
export class Wheel {
  readonly #clock: Clock
  readonly #slots: (WheelEntry | undefined)[] = Array.from({ length: SLOTS }, () => undefined)
  readonly #used = new Uint32Array(BITMAP_WORDS)
  readonly #isBehind: () => boolean
  readonly #turn = (): void => {
    this.#cancel = undefined
    this.#clock.defer(this.#afterReading)
  }
  readonly #afterReading = (): void => {
    const lateMs = this.#clock.now() - this.#armedFor
    if (this.#isBehind() && lateMs < MAX_PATIENCE_MS) this.#clock.defer(this.#afterReading)
    else this.#run()
  }
  /** The first slot number not run yet. */
  #cursor: number
  #armedFor = Infinity
  #cancel: (() => void) | undefined
  size = 0

  /** @param isBehind - Whether the socket's queue was not emptied by the last reading. */
  constructor(clock: Clock, isBehind: () => boolean = () => false) {
    this.#clock = clock
    this.#isBehind = isBehind
    this.#cursor = Math.floor(clock.now() / SLOT_MS)
  }

  /** Puts an entry on the wheel, or moves it. */
  set(entry: WheelEntry, dueMs: number): void {
    if (dueMs === Infinity) {
      this.delete(entry)
      return
    }
    const now = this.#clock.now()
    if (this.size === 0) this.#cursor = Math.floor(now / SLOT_MS)
    const far = dueMs - now > FAR_MS ? Math.ceil(dueMs / FAR_STEP_MS) * FAR_STEP_MS : dueMs
    // A multiple of the step as well: the last one within the horizon.
    const last = Math.floor((now + HORIZON_MS - SLOT_MS) / FAR_STEP_MS) * FAR_STEP_MS
    const at = Math.min(far, last)
    // A slot runs when all of it is past, so nothing is early.
    const number = Math.min(
      Math.max(Math.ceil(at / SLOT_MS), this.#cursor),
      this.#cursor + SLOTS - 2,
    )
    entry.dueMs = dueMs
    const slot = number & MASK
    if (entry.slot !== slot) {
      if (entry.slot >= 0) this.#unlink(entry)
      this.#link(entry, slot)
    }
    const timeOfSlot = number * SLOT_MS
    if (timeOfSlot < this.#armedFor) this.#arm(timeOfSlot, now)
  }

  delete(entry: WheelEntry): void {
    entry.dueMs = Infinity
    if (entry.slot < 0) return
    this.#unlink(entry)
    if (this.size === 0) this.#disarm()
  }

  /** Forgets all entries. */
  clear(): void {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      for (let entry = this.#slots[slot]; entry !== undefined; entry = this.#slots[slot])
        this.delete(entry)
    }
    this.#disarm()
  }

  #link(entry: WheelEntry, slot: number): void {
    const head = this.#slots[slot]
    entry.slot = slot
    entry.previous = undefined
    entry.next = head
    if (head !== undefined) head.previous = entry
    this.#slots[slot] = entry
    this.#used[slot >> 5]! |= 1 << (slot & 31)
    this.size += 1
  }

  #unlink(entry: WheelEntry): void {
    const { slot, next, previous } = entry
    if (next !== undefined) next.previous = previous
    if (previous !== undefined) previous.next = next
    else {
      this.#slots[slot] = next
      if (next === undefined) this.#used[slot >> 5]! &= ~(1 << (slot & 31))
    }
    entry.slot = -1
    entry.next = undefined
    entry.previous = undefined
    this.size -= 1
  }

  #run(): void {
    // One that was set between the timer and this turn is set anew.
    this.#cancel?.()
    this.#armedFor = Infinity
    this.#cancel = undefined
    const now = this.#clock.now()
    const last = Math.floor(now / SLOT_MS)
    // After a long sleep once around is everything.
    if (last - this.#cursor >= SLOTS) this.#cursor = last - SLOTS + 1
    let left = MAX_RUN
    let isDone = false
    try {
      while (this.#cursor <= last && this.size > 0 && left > 0) {
        const slot = this.#cursor & MASK
        // Entries set anew by what runs here land in later slots.
        this.#cursor += 1
        left = this.#runSlot(slot, now, left)
      }
      isDone = left > 0
      if (isDone) this.#cursor = Math.max(this.#cursor, last + 1)
    } finally {
      // The rest of the slot, also when one throws, has its turn soon.
      if (!isDone) this.#cursor -= 1
      this.#armForFirst(now)
    }
  }

  /** Returns how many may still run. */
  #runSlot(slot: number, now: number, most: number): number {
    let left = most
    for (let entry = this.#slots[slot]; entry !== undefined; entry = this.#slots[slot]) {
      if (left === 0) return 0
      left -= 1
      this.#unlink(entry)
      const { dueMs } = entry
      entry.dueMs = Infinity
      if (dueMs <= now) entry.onDue(now)
      else this.set(entry, dueMs)
    }
    return left
  }

  #armForFirst(now: number): void {
    if (this.size === 0) return
    const start = this.#cursor
    // Word by word; the first word is looked at twice, for the slots before the cursor that come last.
    for (let step = 0; step <= BITMAP_WORDS; step += 1) {
      const index = ((start >> 5) + step) & (BITMAP_WORDS - 1)
      let word = this.#used[index]!
      if (step === 0) word &= -1 << (start & 31)
      if (step === BITMAP_WORDS) word &= ~(-1 << (start & 31))
      if (word === 0) continue
      const slot = index * 32 + (31 - Math.clz32(word & -word))
      this.#arm((start + ((slot - start) & MASK)) * SLOT_MS, now)
      return
    }
  }

  #arm(timeMs: number, now: number): void {
    if (timeMs >= this.#armedFor) return
    this.#cancel?.()
    this.#armedFor = timeMs
    this.#cancel = this.#clock.setTimer(Math.max(0, timeMs - now), this.#turn)
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#armedFor = Infinity
  }
}
