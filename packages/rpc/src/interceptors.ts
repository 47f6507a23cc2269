import { ByteReader } from './byte-reader.ts'
import type { CallContext } from './call-context.ts'
import type { CallOptions, CallTarget, SentOptions } from './call-target.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { RetryHost } from './retrying-target.ts'
import { MAX_NAME_BYTES, type Route } from './wire.ts'

/** A call on its way out. Of a call that is made again, each attempt is one. */
export interface OutgoingCallInfo {
  /** The service's name; empty for an entity. */
  readonly service: string
  /** `bag.use`: components, then the method. */
  readonly method: string
  readonly entityId: string | undefined
  readonly args: readonly unknown[]
  readonly isNotify: boolean
  readonly options: CallOptions
  /**
   * The W3C trace context that goes with it: `traceparent`, and after a line break `tracestate`. Set it before `next`. It is
   * sent to servers alone, and not with notifications.
   */
  trace: string | undefined
}

/** A call about to be handled; it has passed the tables, and its turn has come. */
export interface IncomingCallInfo {
  readonly context: CallContext
  readonly service: string
  readonly method: string
  readonly entityId: string | undefined
  readonly args: readonly unknown[]
  readonly isNotify: boolean
  /** As the calling server set it. */
  readonly trace: string | undefined
}

/**
 * Takes part in each call of a node: auth, limits, metrics, traces. The first one given is the outermost. Each may look, wait,
 * answer by itself, or throw; what an incoming one throws before `next` refuses the call, with `executed: 'no'`.
 */
export interface Interceptor {
  outgoing?(call: OutgoingCallInfo, next: () => Promise<unknown>): Promise<unknown>
  /** As `outgoing`, for notifications: whether it was accepted for sending. */
  notify?(call: OutgoingCallInfo, next: () => boolean): boolean
  /** The result, or a promise of it. One that waits makes a synchronous handler asynchronous. */
  incoming?(call: IncomingCallInfo, next: () => unknown): unknown
}

type Handler = (...args: unknown[]) => unknown

/** Sends calls through interceptors. */
export class InterceptedTarget implements CallTarget {
  readonly inner: CallTarget
  readonly #interceptors: readonly Interceptor[]

  constructor(inner: CallTarget, interceptors: readonly Interceptor[]) {
    this.inner = inner
    this.#interceptors = interceptors
  }

  get retry(): RetryHost | undefined {
    return this.inner.retry
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const call = infoOf(route, entity, args, options, false)
    let next = (): Promise<unknown> => {
      const { trace } = call
      const sent = trace === undefined ? options : { ...options, trace }
      return this.inner.call(route, entity, args, sent)
    }
    for (const interceptor of this.#interceptors.toReversed()) {
      const inner = next
      if (interceptor.outgoing !== undefined) {
        next = async () => interceptor.outgoing!(call, inner)
      }
    }
    return next()
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const call = infoOf(route, entity, args, undefined, true)
    let next = (): boolean => this.inner.notify(route, entity, args, unreliable)
    for (const interceptor of this.#interceptors.toReversed()) {
      const inner = next
      if (interceptor.notify !== undefined) next = () => interceptor.notify!(call, inner)
    }
    return next()
  }
}

/** What puts interceptors around handlers; `undefined` when none of them wants to be there. */
export function aroundHandlers(
  interceptors: readonly Interceptor[],
): ((call: IncomingCall, handler: Handler) => Handler) | undefined {
  const incoming = interceptors.filter((interceptor) => interceptor.incoming !== undefined)
  if (incoming.length === 0) return undefined
  incoming.reverse()
  return (call, handler) =>
    function intercepted(this: unknown, ...args) {
      const { service, method, entityId } = call.topic
      const { trace } = call
      const isNotify = call.id === 0
      const info = { context: call, service, method, entityId, args, isNotify, trace }
      call.hasBegun = false
      let next = (): unknown => {
        call.hasBegun = true
        return handler.apply(this, args)
      }
      for (const interceptor of incoming) {
        const inner = next
        next = () => interceptor.incoming!(info, inner)
      }
      return next()
    }
}

function infoOf(
  { service, method }: Route,
  entity: Uint8Array | undefined,
  args: readonly unknown[],
  options: SentOptions | undefined,
  isNotify: boolean,
): OutgoingCallInfo {
  const entityId =
    entity === undefined ? undefined : new ByteReader().reset(entity).string(MAX_NAME_BYTES)
  const trace = options?.trace
  return { service, method, entityId, args, isNotify, options: options ?? {}, trace }
}
