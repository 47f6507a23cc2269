import type { Clock } from './clock.ts'
import { TimerError } from './errors.ts'
import {
  checkDelay,
  checkedOptions,
  checkEvery,
  checkKey,
  type AfterOptions,
  type EveryOptions,
  type TimerCallback,
  type TimerErrorContext,
  type TimerId,
  type TimerKey,
  type TimersOptions,
  type TimersStats,
} from './options.ts'
import { Repetition } from './repetition.ts'
import { TimerTable } from './timer-table.ts'
import { NONE, Wheel } from './wheel.ts'

const FIRST_CAPACITY = 64
/** What `setTimeout` takes at most; later deadlines are armed in stages. */
const MAX_ARM_MS = 2 ** 31 - 1
const MAX_TICK: number = Number.MAX_SAFE_INTEGER

/** Timers under keys that any number of them may share. One native timer, armed for the next of them, drives all. */
export class Timers {
  readonly #clock: Clock
  readonly #onError: TimersOptions['onError']
  readonly #tickMs: number
  readonly #maxPending: number
  readonly #table = new TimerTable(FIRST_CAPACITY)
  readonly #wheel = new Wheel(FIRST_CAPACITY)
  #disarm: (() => void) | undefined
  #armedTick = Infinity
  #isRunning = false
  #isDestroyed = false
  #fired = 0
  #cancelled = 0
  #skipped = 0
  #errors = 0

  constructor(options: TimersOptions = {}) {
    const { clock, onError, tickMs, maxPending } = checkedOptions(options)
    this.#clock = clock
    this.#onError = onError
    this.#tickMs = tickMs
    this.#maxPending = maxPending
  }

  /**
   * Calls `fn` once, on the first tick at which `delayMs` have passed. 0 or less means the next turn of the event loop,
   * never inside this call. There is no upper bound.
   *
   * @throws {@link TimerError} `TIMER_FULL`, `TIMER_DESTROYED`.
   */
  after(delayMs: number, fn: TimerCallback, options: AfterOptions = {}): TimerId {
    checkDelay('delayMs', delayMs)
    return this.#add(this.#clock.now() + Math.max(delayMs, 0), fn, options.key, undefined)
  }

  /**
   * Calls `fn` once, when the wall clock reaches `epochMs`; at once, as `after(0)`, if it has. The wait is measured when
   * this is called: a wall clock that is set meanwhile does not move it.
   *
   * @throws {@link TimerError} as {@link after}.
   */
  at(epochMs: number, fn: TimerCallback, options: AfterOptions = {}): TimerId {
    checkDelay('epochMs', epochMs)
    return this.after(epochMs - this.#clock.wall(), fn, options)
  }

  /**
   * Calls `fn` again and again. By default at a fixed rate: call n is due at start + n × `intervalMs`, without drift.
   *
   * @throws {@link TimerError} as {@link after}.
   */
  every(intervalMs: number, fn: TimerCallback, options: EveryOptions = {}): TimerId {
    checkEvery(intervalMs, this.#tickMs, options)
    const { firstDelayMs = intervalMs } = options
    checkDelay('firstDelayMs', firstDelayMs)
    const firstMs = this.#clock.now() + Math.max(firstDelayMs, 0)
    return this.#add(firstMs, fn, options.key, new Repetition(intervalMs, firstMs, options))
  }

  /**
   * Cancels one timer by its id, or all timers of a key. Works inside a timer's own callback too, and while its promise
   * is pending: there is no further call.
   *
   * @returns How many timers were cancelled.
   */
  cancel(idOrKey: TimerId | TimerKey): number {
    const before = this.#table.size
    if (typeof idOrKey === 'number') {
      const node = this.#table.nodeOf(idOrKey)
      if (node !== NONE) this.#drop(node)
    } else {
      let node = this.#table.firstOf(idOrKey)
      while (node !== NONE) {
        const next = this.#table.after(node)
        this.#drop(node)
        node = next
      }
    }
    const count = before - this.#table.size
    this.#cancelled += count
    if (count > 0 && this.#wheel.count === 0 && !this.#isRunning) this.#rearm(Infinity)
    return count
  }

  /** Whether this timer, or any timer of this key, is still to be called. */
  has(idOrKey: TimerId | TimerKey): boolean {
    const node =
      typeof idOrKey === 'number' ? this.#table.nodeOf(idOrKey) : this.#table.firstOf(idOrKey)
    return node !== NONE
  }

  /** How many timers are still to be called. */
  get pending(): number {
    return this.#table.size
  }

  stats(): TimersStats {
    return {
      pending: this.#table.size,
      fired: this.#fired,
      cancelled: this.#cancelled,
      skipped: this.#skipped,
      errors: this.#errors,
      capacity: this.#table.capacity,
    }
  }

  /** Cancels everything and accepts nothing new. May be called twice, also inside a callback. */
  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    for (const node of this.#table.nodes()) {
      this.#drop(node)
      this.#cancelled += 1
    }
    this.#rearm(Infinity)
  }

  [Symbol.dispose](): void {
    this.destroy()
  }

  #add(
    dueMs: number,
    fn: TimerCallback,
    key: TimerKey | undefined,
    repetition: Repetition | undefined,
  ): TimerId {
    if (this.#isDestroyed) throw new TimerError('TIMER_DESTROYED', 'these timers were destroyed')
    if (typeof fn !== 'function') throw new TypeError(`fn must be a function, not ${String(fn)}`)
    checkKey(key)
    if (this.#table.size >= this.#maxPending)
      throw new TimerError('TIMER_FULL', `${this.#table.size} timers are pending`)
    if (this.#table.isFull) {
      const capacity = this.#table.capacity * 2
      this.#table.grow(capacity)
      this.#wheel.grow(capacity)
    }
    const node = this.#table.take(fn, key, repetition)
    this.#schedule(node, dueMs)
    return this.#table.idOf(node)
  }

  /** Takes a timer out of everything. */
  #drop(node: number): void {
    if (this.#wheel.holds(node)) this.#wheel.remove(node)
    this.#table.release(node)
  }

  #schedule(node: number, dueMs: number): void {
    const wheel = this.#wheel
    if (wheel.count === 0) wheel.skipTo(this.#nowTick())
    const tick = Math.min(Math.ceil(dueMs / this.#tickMs), MAX_TICK)
    wheel.insert(node, tick)
    if (tick < this.#armedTick && !this.#isRunning) this.#rearm(tick)
  }

  #nowTick(): number {
    return Math.floor(this.#clock.now() / this.#tickMs)
  }

  /** Arms the one native timer for a tick; `Infinity` is never. */
  #rearm(tick: number): void {
    this.#disarm?.()
    this.#disarm = undefined
    this.#armedTick = tick
    if (tick === Infinity) return
    const delayMs = Math.ceil(tick * this.#tickMs - this.#clock.now())
    this.#disarm = this.#clock.setTimer(Math.min(Math.max(delayMs, 0), MAX_ARM_MS), this.#pass)
  }

  /** Calls everything that is due now. */
  readonly #pass = (): void => {
    this.#disarm = undefined
    this.#isRunning = true
    const now = this.#nowTick()
    this.#wheel.begin()
    for (let node = this.#wheel.take(now); node !== NONE; node = this.#wheel.take(now))
      this.#fire(node)
    this.#isRunning = false
    this.#rearm(this.#wheel.nextTick())
  }

  #fire(node: number): void {
    const id = this.#table.idOf(node)
    const fn = this.#table.fns[node]!
    const key = this.#table.keys[node]
    const repetition = this.#table.repetitions[node]
    if (repetition === undefined) this.#table.release(node)
    else if (!this.#repeat(node, repetition)) return
    this.#call(fn, { id, key }, repetition)
  }

  /** Prepares what comes after the call that is due; false if that call is left out. */
  #repeat(node: number, repetition: Repetition): boolean {
    const isLeftOut = repetition.running > 0 && !repetition.mayOverlap
    if (isLeftOut) this.#skipped += 1
    else if (--repetition.remaining === 0) {
      this.#table.release(node)
      return true
    }
    if (!repetition.isFixedDelay) {
      this.#skipped += repetition.advance(this.#clock.now())
      this.#schedule(node, repetition.dueMs)
    }
    return !isLeftOut
  }

  #call(fn: TimerCallback, context: TimerErrorContext, repetition: Repetition | undefined): void {
    this.#fired += 1
    try {
      const result = fn()
      if (isThenable(result)) {
        void this.#watch(result, context, repetition)
        return
      }
    } catch (error) {
      this.#fail(error, context)
    }
    this.#resume(context.id, repetition)
  }

  async #watch(
    promise: PromiseLike<unknown>,
    context: TimerErrorContext,
    repetition: Repetition | undefined,
  ): Promise<void> {
    if (repetition !== undefined) repetition.running += 1
    try {
      await promise
    } catch (error) {
      this.#fail(error, context)
    }
    if (repetition !== undefined) repetition.running -= 1
    this.#resume(context.id, repetition)
  }

  /** Starts the next interval of a fixed-delay timer, unless it was cancelled. */
  #resume(id: TimerId, repetition: Repetition | undefined): void {
    if (repetition?.isFixedDelay !== true) return
    const node = this.#table.nodeOf(id)
    if (node !== NONE) this.#schedule(node, this.#clock.now() + repetition.intervalMs)
  }

  #fail(error: unknown, context: TimerErrorContext): void {
    this.#errors += 1
    try {
      if (this.#onError !== undefined) {
        this.#onError(error, context)
        return
      }
    } catch (second) {
      this.#throwLater(second)
      return
    }
    this.#throwLater(error)
  }

  /** As an error in a native timer: nobody catches it, and the other timers run on. */
  #throwLater(error: unknown): void {
    this.#clock.defer(() => {
      throw error
    })
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function'
