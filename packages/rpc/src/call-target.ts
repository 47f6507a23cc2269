import type { CallFrame } from './incoming-call.ts'
import type { RetryHost } from './retrying-target.ts'
import type { Route } from './wire.ts'

export interface CallOptions {
  /** At least 1. @defaultValue the node's `defaultTimeoutMs` */
  readonly timeoutMs?: number
  /** Ends the call with `signal.reason` and tells the handler. */
  readonly signal?: AbortSignal
  /**
   * How often a call is made again that was surely not executed: the link was lost before it left, nobody was there, or
   * it was turned away as one too many. A whole number from 0 to 100. @defaultValue 0; 2 for idempotent methods
   */
  readonly retries?: number
  /**
   * Running it twice does no harm, so it is made again also when the link was lost and nobody knows. `true`, or the methods
   * of which that is true: a class can keep the list, as `static readonly idempotent`. @defaultValue false
   */
  readonly idempotent?: boolean | readonly string[]
  /**
   * What a call does when the link is behind or the other end has too much to do: `fail` with `RPC_OVERLOADED`, or `wait`
   * and try again until its deadline. @defaultValue 'fail'
   */
  readonly whenFull?: 'fail' | 'wait'
  /** Larger goes first where calls wait at a server: a whole number from -128 to 127. From players it is ignored. @defaultValue 0 */
  readonly priority?: number
}

/** How a call is passed on inside this package. */
export interface SentOptions extends CallOptions {
  /** The handler that makes the call, or that none does. @defaultValue the one that is behind what runs now */
  readonly from?: CallFrame | null
  /** W3C trace context: `traceparent`, and after a line break `tracestate`. */
  readonly trace?: string | undefined
}

/** Where the calls of a remote go: a link, or an address that is dialled when needed. */
export interface CallTarget {
  /** There when calls can be made again. */
  readonly retry?: RetryHost | undefined
  /** What a wrapper sends its calls on to. */
  readonly inner?: CallTarget
  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown>
  /** Whether it was accepted for sending. */
  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** @throws RangeError when the option is no time in (0, 2³¹) milliseconds. */
export function timeoutOf(options: CallOptions | undefined, defaultMs: number): number {
  const timeoutMs = options?.timeoutMs
  if (timeoutMs === undefined) return defaultMs
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new RangeError(`timeoutMs must be above 0 and below 2^31, got ${timeoutMs}`)
  }
  return timeoutMs
}
