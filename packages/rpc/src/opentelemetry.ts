import {
  context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import type { Interceptor } from './interceptors.ts'

/** What tracing takes. */
export interface TracingOptions {
  /** @defaultValue the tracer `@rts/rpc` of the global provider */
  readonly tracer?: Tracer
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})/

/**
 * Makes spans of calls: a client span where one is made, a server span where it is handled, joined by W3C trace context,
 * which servers carry for one another. What a player says of a trace is ignored. Needs a provider and a context
 * manager, as any instrumentation does; without them it does nothing.
 */
export function tracing(options: TracingOptions = {}): Interceptor {
  const tracerOf = (): Tracer => options.tracer ?? trace.getTracer('@rts/rpc')
  return {
    outgoing(call, next) {
      const { service, method, entityId } = call
      const span = tracerOf().startSpan(`${service || 'entity'}/${method}`, {
        kind: SpanKind.CLIENT,
        attributes: attributesOf(service, method, entityId),
      })
      call.trace = traceOf(span) ?? call.trace
      return within(span, trace.setSpan(context.active(), span), next)
    },
    incoming({ service, method, entityId, trace: carried, context: call }, next) {
      const parent = parentOf(carried)
      const attributes = {
        ...attributesOf(service, method, entityId),
        'rpc.rts.caller': call.caller,
        'rpc.rts.peer': call.nodeId,
      }
      const name = `${service || 'entity'}/${method}`
      const span = tracerOf().startSpan(name, { kind: SpanKind.SERVER, attributes }, parent)
      return within(span, trace.setSpan(parent, span), next)
    },
  }
}

function attributesOf(service: string, method: string, entityId: string | undefined): Attributes {
  return {
    'rpc.system': 'rts',
    'rpc.service': service || 'entity',
    'rpc.method': method,
    ...(entityId !== undefined && { 'rpc.rts.entity': entityId }),
  }
}

function within<T>(span: Span, active: Context, next: () => T): T {
  let result: T
  try {
    result = context.with(active, next)
  } catch (error) {
    fail(span, error)
    throw error
  }
  if (!(result instanceof Promise)) {
    span.end()
    return result
  }
  return result.then(
    (value) => {
      span.end()
      return value as unknown
    },
    (error: unknown) => {
      fail(span, error)
      throw error
    },
  ) as T
}

function fail(span: Span, error: unknown): void {
  const { code, executed, message } = (error ?? {}) as Record<string, unknown>
  const text = typeof message === 'string' ? message : String(error)
  if (typeof code === 'string') span.setAttribute('error.type', code)
  if (typeof executed === 'string') span.setAttribute('rpc.rts.executed', executed)
  span.setStatus({ code: SpanStatusCode.ERROR, message: text })
  span.end()
}

function traceOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  if (!isSpanContextValid(span.spanContext())) return undefined
  const parent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const state = traceState?.serialize() ?? ''
  return state === '' ? parent : `${parent}\n${state}`
}

function parentOf(carried: string | undefined): Context {
  const [parent = '', state = ''] = (carried ?? '').split('\n')
  const [, traceId, spanId, flags] = TRACEPARENT.exec(parent) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT
  const spanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(state !== '' && { traceState: createTraceState(state) }),
  }
  return isSpanContextValid(spanContext)
    ? trace.setSpanContext(ROOT_CONTEXT, spanContext)
    : ROOT_CONTEXT
}
