import { backgroundClock, systemClock, type Clock } from './clock.ts'
import { MAX_TIMERS } from './timer-table.ts'

/** Names one timer. Never 0, and never given to another timer of the same `Timers`. */
export type TimerId = number

/** Groups timers: any number of them may share a key. Objects are compared by identity. */
export type TimerKey = string | object

/** Called when a timer is due. A returned promise is watched: its rejection goes to `onError`. */
export type TimerCallback = () => unknown

/** Which timer an error came from. */
export interface TimerErrorContext {
  readonly id: TimerId
  readonly key: TimerKey | undefined
}

export interface TimersOptions {
  /** Where time comes from. @defaultValue the system's */
  readonly clock?: Clock
  /** Told of what callbacks throw or reject with. @defaultValue throws it after the turn, as an uncaught error */
  readonly onError?: (error: unknown, context: TimerErrorContext) => void
  /** Milliseconds per tick: timers fire on ticks. A number from 0.001. @defaultValue 1 */
  readonly tickMs?: number
  /** Timers at most; beyond, adding one throws. A whole number from 1 to 16,777,216. @defaultValue 1,000,000 */
  readonly maxPending?: number
  /** Pending timers do not keep a Node process alive. For the system clock only. @defaultValue false */
  readonly unref?: boolean
}

export interface AfterOptions {
  /** The group it belongs to. */
  readonly key?: TimerKey
}

export interface EveryOptions extends AfterOptions {
  /** Calls in all. A whole number from 1. @defaultValue no end */
  readonly times?: number
  /** Milliseconds until the first call. @defaultValue the interval */
  readonly firstDelayMs?: number
  /**
   * `fixed-rate`: the n-th call is due at start + n × interval, whatever the calls take. `fixed-delay`: the interval begins
   * when a call has ended, a promise it returned included. @defaultValue 'fixed-rate'
   */
  readonly mode?: 'fixed-rate' | 'fixed-delay'
  /**
   * For `fixed-rate`, when the promise of the call before is not settled yet: `skip` leaves this one out, `allow` makes
   * it all the same. @defaultValue 'skip'
   */
  readonly overlap?: 'skip' | 'allow'
  /**
   * For `fixed-rate`, when several calls are overdue (the process was busy): `coalesce` makes one of them, `catch-up`
   * all of them. @defaultValue 'coalesce'
   */
  readonly missed?: 'coalesce' | 'catch-up'
}

export interface TimersStats {
  /** Timers that wait or repeat. */
  readonly pending: number
  /** Calls made. */
  readonly fired: number
  /** Timers cancelled. */
  readonly cancelled: number
  /** Calls left out because an earlier one was not done, or because they were overdue. */
  readonly skipped: number
  /** Errors and rejections of callbacks. */
  readonly errors: number
  /** Timers that fit without taking more memory. */
  readonly capacity: number
}

/** @throws RangeError naming the option and its value. */
export function checkedOptions(options: TimersOptions): {
  readonly clock: Clock
  readonly onError: TimersOptions['onError']
  readonly tickMs: number
  readonly maxPending: number
} {
  const { tickMs = 1, maxPending = 1_000_000, unref = false, onError } = options
  if (!(tickMs >= 0.001 && tickMs < Infinity))
    throw new RangeError(`tickMs must be a number from 0.001, not ${tickMs}`)
  if (!(Number.isInteger(maxPending) && maxPending >= 1 && maxPending <= MAX_TIMERS))
    throw new RangeError(
      `maxPending must be a whole number from 1 to ${MAX_TIMERS}, not ${maxPending}`,
    )
  return {
    clock: options.clock ?? (unref ? backgroundClock : systemClock),
    onError,
    tickMs,
    maxPending,
  }
}

const CHOICES = {
  mode: ['fixed-rate', 'fixed-delay'],
  overlap: ['skip', 'allow'],
  missed: ['coalesce', 'catch-up'],
} as const

/** @throws RangeError naming the option and its value. */
export function checkEvery(intervalMs: number, tickMs: number, options: EveryOptions): void {
  if (!(intervalMs >= tickMs && intervalMs < Infinity))
    throw new RangeError(
      `intervalMs must be a finite number from tickMs (${tickMs}), not ${intervalMs}`,
    )
  const { times = 1 } = options
  if (!(Number.isInteger(times) && times >= 1))
    throw new RangeError(`times must be a whole number from 1, not ${times}`)
  for (const name of ['mode', 'overlap', 'missed'] as const) {
    const value = options[name]
    if (value !== undefined && !(CHOICES[name] as readonly string[]).includes(value))
      throw new RangeError(
        `${name} must be one of ${CHOICES[name].join(', ')}, not ${String(value)}`,
      )
  }
}

/** @throws RangeError naming the argument and its value. */
export function checkDelay(name: string, delayMs: number): void {
  if (typeof delayMs !== 'number' || Number.isNaN(delayMs) || delayMs === Infinity)
    throw new RangeError(`${name} must be a finite number, not ${String(delayMs)}`)
}

/** Numbers are ids, so a key that is one could mean both. */
export function checkKey(key: TimerKey | undefined): void {
  if (key === undefined || typeof key === 'string') return
  if ((typeof key !== 'object' && typeof key !== 'function') || key === null)
    throw new TypeError(`key must be a string or an object, not ${String(key)}`)
}
