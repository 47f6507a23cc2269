import { TestingError } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { setImmediate } from './real-time.ts'

/** Time as the packages here take it: pass `SteppedClock` where a test wants to own it. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970. */
  wall(): number
  /** Runs `fn` once after `delayMs`; returns the cancel. */
  setTimer(delayMs: number, fn: () => void): () => void
  /** Runs `fn` after this turn. */
  defer(fn: () => void): void
}

export interface SteppedClockOptions {
  /** What `now()` says at first, in milliseconds. @defaultValue 0 */
  readonly startMs?: number
  /** What `wall()` says at first, in milliseconds since 1970. @defaultValue 2026-01-01T00:00:00Z */
  readonly wallMs?: number
}

export interface RunUntilOptions {
  /** How far the clock may move before this gives up, in milliseconds. @defaultValue 60000 */
  readonly limitMs?: number
}

const DEFAULTS: Required<SteppedClockOptions> = { startMs: 0, wallMs: Date.UTC(2026, 0, 1) }
const DEFAULT_LIMIT_MS = 60_000
/** So many events without time moving are a loop that re-arms itself at once. */
const MAX_EVENTS_AT_ONE_TIME = 100_000

/**
 * Time that moves only when a test says so.
 *
 * Timers and defers run in (time, order of asking). Between two of them all promise callbacks and
 * `process.nextTick`s run to their end. The same program therefore runs the same way every time, as
 * long as it waits for nothing but this clock: no sockets, files, worker threads or WebCrypto.
 */
export class SteppedClock implements Clock {
  readonly #queue = new EventQueue()
  #nowMs: number
  #wallOffsetMs: number
  #isRunning = false
  #eventsAtThisTime = 0

  constructor(options: SteppedClockOptions = {}) {
    const { startMs, wallMs } = { ...DEFAULTS, ...options }
    this.#nowMs = finite('startMs', startMs)
    this.#wallOffsetMs = finite('wallMs', wallMs) - startMs
  }

  /** How many timers and defers wait. */
  get pending(): number {
    return this.#queue.size
  }

  /** When the next timer or defer is due, as `now()` will say; undefined when none waits. */
  get nextAt(): number | undefined {
    return this.#queue.peek()?.atMs
  }

  now(): number {
    return this.#nowMs
  }

  wall(): number {
    return this.#nowMs + this.#wallOffsetMs
  }

  /** @throws RangeError when `delayMs` is not finite; a real timer would fire at once. */
  setTimer(delayMs: number, fn: () => void): () => void {
    const event = this.#queue.push(this.#nowMs + Math.max(0, finite('delayMs', delayMs)), fn)
    return () => this.#queue.cancel(event)
  }

  defer(fn: () => void): void {
    this.#queue.push(this.#nowMs, fn)
  }

  /**
   * Moves time on by `ms` and runs all that comes due on the way, each at its own time.
   *
   * An error thrown by a callback stops the clock there and rejects; the next call goes on.
   */
  async advance(ms: number): Promise<void> {
    const target = this.#nowMs + notNegative('ms', ms)
    await this.#exclusively(async () => {
      await turn()
      while (await this.#runNext(target));
      this.#moveTo(target)
    })
  }

  /** Runs what is due now, defers and whatever those make due included. Time stands still. */
  settle(): Promise<void> {
    return this.advance(0)
  }

  /**
   * Goes from event to event until `done` says true, and stops at that very time.
   *
   * @throws TestingError `TESTING_CLOCK_LIMIT` when it is not true within `limitMs`.
   */
  async runUntil(done: () => boolean, options: RunUntilOptions = {}): Promise<void> {
    const limitMs = notNegative('limitMs', options.limitMs ?? DEFAULT_LIMIT_MS)
    const target = this.#nowMs + limitMs
    await this.#exclusively(async () => {
      await turn()
      while (!done()) {
        if (await this.#runNext(target)) continue
        this.#moveTo(target)
        if (done()) return
        throw new TestingError(
          'TESTING_CLOCK_LIMIT',
          `not done after ${limitMs} ms of stepped time; ${this.#describePending()}`,
        )
      }
    })
  }

  /**
   * Lets time pass in which nothing runs, as for a process that was stopped or a machine that slept.
   * What came due meanwhile runs late, with the next `advance`, `settle` or `runUntil`.
   */
  suspend(ms: number): void {
    this.#moveTo(this.#nowMs + notNegative('ms', ms))
  }

  /** Sets the wall clock on (or back, when negative) by `ms`; `now()` and timers do not notice. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += finite('ms', ms)
  }

  async #runNext(target: number): Promise<boolean> {
    const next = this.#queue.peek()
    if (next === undefined || next.atMs > target) return false
    this.#queue.pop()
    this.#moveTo(Math.max(next.atMs, this.#nowMs))
    this.#eventsAtThisTime += 1
    if (this.#eventsAtThisTime > MAX_EVENTS_AT_ONE_TIME) {
      this.#eventsAtThisTime = 0
      throw new TestingError(
        'TESTING_CLOCK_STUCK',
        `more than ${MAX_EVENTS_AT_ONE_TIME} events at ${this.#nowMs} ms: something re-arms itself without delay`,
      )
    }
    next.run()
    await turn()
    return true
  }

  #moveTo(timeMs: number): void {
    if (timeMs !== this.#nowMs) this.#eventsAtThisTime = 0
    this.#nowMs = timeMs
  }

  async #exclusively(body: () => Promise<void>): Promise<void> {
    if (this.#isRunning) {
      throw new TestingError(
        'TESTING_CLOCK_BUSY',
        'the clock is being stepped already: await the first advance, settle or runUntil',
      )
    }
    this.#isRunning = true
    try {
      await body()
    } finally {
      this.#isRunning = false
    }
  }

  #describePending(): string {
    const next = this.#queue.peek()
    if (next === undefined) return 'nothing is pending, so nothing will ever happen'
    return `${this.pending} pending, the next in ${next.atMs - this.#nowMs} ms`
  }
}

/** One turn of the loop: every promise callback and `nextTick`, however long the chain, has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function finite(field: string, value: number): number {
  if (!Number.isFinite(value))
    throw new RangeError(`${field} must be a finite number, not ${value}`)
  return value
}

function notNegative(field: string, value: number): number {
  if (finite(field, value) < 0) throw new RangeError(`${field} must not be negative: ${value}`)
  return value
}
