import type { Clock, Logger, Random, Transport } from '@rts/rpc'
import type { ClientSessionOptions } from '@rts/session'
import type { Gates } from './gate-dialer.ts'

export interface ClientOptions {
  /** How gates are reached: `websocket()` in browsers, `tcp()` and `ws()` in Node. */
  readonly transports: readonly Transport[]
  /**
   * Addresses in the order of trying, best first, as the login answered them: `['tcp://g1:7000', 'ws://g1:7001/play']`. A
   * function is asked at the start, and again when all it answered have failed: gates come and go.
   */
  readonly gates: Gates
  /** The login ticket. A function is asked again whenever a fresh login is needed. */
  readonly ticket: string | (() => string | Promise<string>)
  /** Milliseconds a call may take, waiting for its route included. @defaultValue 3000 */
  readonly defaultTimeoutMs?: number
  /**
   * What a call does while its route is not bound: `wait` until it is, within the call's deadline, or
   * `fail` at once with `CLIENT_ROUTE_LOST`. @defaultValue 'wait'
   */
  readonly whenUnbound?: 'wait' | 'fail'
  /** Milliseconds one dial may take. @defaultValue 5000 */
  readonly dialTimeoutMs?: number
  /** Milliseconds from an open link to an open session. @defaultValue 10000 */
  readonly openTimeoutMs?: number
  /** Milliseconds before the gates are tried once more, after each has failed; doubles up to `maxRetryDelayMs`, jittered. @defaultValue 250 */
  readonly retryDelayMs?: number
  /** @defaultValue 10000 */
  readonly maxRetryDelayMs?: number
  /** Bytes of one message from a gate. @defaultValue 1114112 */
  readonly maxMessageBytes?: number
  /** Ceilings of the session's buffers. */
  readonly limits?: NonNullable<ClientSessionOptions['limits']>
  readonly clock?: Clock
  readonly random?: Random
  /** @defaultValue silent */
  readonly logger?: Logger
}

export interface ConnectOptions {
  readonly signal?: AbortSignal
  /** Milliseconds until the first session must be open. @defaultValue 30000 */
  readonly timeoutMs?: number
}
