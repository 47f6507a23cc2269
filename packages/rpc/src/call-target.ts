import type { CallFrame } from './incoming-call.ts'
import type { Route } from './wire.ts'

export interface CallOptions {
  /** At least 1. @defaultValue the node's `defaultTimeoutMs` */
  readonly timeoutMs?: number
  /** Ends the call with `signal.reason` and tells the handler. */
  readonly signal?: AbortSignal
  /** Running it twice does no harm, so it may be retried. */
  readonly idempotent?: boolean
  /** Larger goes first where calls wait. @defaultValue 0 */
  readonly priority?: number
}

/** How a call is passed on inside this package. */
export interface SentOptions extends CallOptions {
  /** The handler that makes the call, or that none does. @defaultValue the one that is behind what runs now */
  readonly from?: CallFrame | null
}

/** Where the calls of a remote go: a link, or an address that is dialled when needed. */
export interface CallTarget {
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
