import { AsyncLocalStorage } from 'node:async_hooks'
import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Context,
  type ContextManager,
} from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Interceptor, RpcNode, RpcTable } from '../src/index.ts'
import { tracing } from '../src/opentelemetry.ts'
import { SimCluster } from './support.ts'

/** What `@opentelemetry/context-async-hooks` does. */
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => fn.call(thisArg, ...args))
  }
  bind<T>(_: Context, target: T): T {
    return target
  }
  enable(): this {
    return this
  }
  disable(): this {
    return this
  }
}

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer('test')
beforeAll(() => void context.setGlobalContextManager(new Contexts()))
afterAll(() => context.disable())
beforeEach(() => exporter.reset())

class Desk {
  static readonly rpc = {
    ask: ['server', 'player'],
    fails: 'server',
  } as const satisfies RpcTable<Desk>
  readonly node: RpcNode
  readonly #next: string | undefined
  constructor(node: RpcNode, next?: string) {
    this.node = node
    this.#next = next
  }
  async ask(): Promise<string> {
    await Promise.resolve()
    if (this.#next === undefined) return this.node.id
    return this.node.at<typeof Desk>(this.#next, 'desk').ask()
  }
  fails(): void {
    throw Object.assign(new Error('closed'), { code: 'DESK_CLOSED' })
  }
}

const interceptors: Interceptor[] = [tracing({ tracer })]

async function desk(cluster: SimCluster, id: string, next?: string, options = {}): Promise<string> {
  const node = cluster.node(id, { interceptors, ...options })
  node.expose('desk', new Desk(node, next))
  return (await node.listen(`sim://${id}:1`)).url
}

const idOf = (span: ReadableSpan): string => span.spanContext().spanId

test('a trace runs through every hop: a client span, its server span inside, the next client span inside that', async () => {
  const cluster = new SimCluster()
  const last = await desk(cluster, 'last')
  const middle = await desk(cluster, 'middle', last)
  const client = cluster.node('client', { interceptors })
  const root = tracer.startSpan('root')
  const { setSpan } = (await import('@opentelemetry/api')).trace
  const answer = context.with(setSpan(ROOT_CONTEXT, root), () =>
    client.at<typeof Desk>(middle, 'desk').ask(),
  )
  expect(await cluster.result(answer)).toBe('last')
  // Spans are exported as they end: the innermost first.
  const spans = exporter.getFinishedSpans()
  expect(spans.map(({ name, kind }) => [name, kind])).toEqual([
    ['desk/ask', SpanKind.SERVER],
    ['desk/ask', SpanKind.CLIENT],
    ['desk/ask', SpanKind.SERVER],
    ['desk/ask', SpanKind.CLIENT],
  ])
  const parents = spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)
  expect(parents).toEqual([...spans.slice(1).map(idOf), root.spanContext().spanId])
  expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(
    new Set([root.spanContext().traceId]),
  )
  expect(spans[0]?.attributes).toMatchObject({
    'rpc.system': 'rts',
    'rpc.service': 'desk',
    'rpc.method': 'ask',
    'rpc.rts.caller': 'server',
    'rpc.rts.peer': 'middle',
  })
})

test('a failure marks both spans with its code', async () => {
  const cluster = new SimCluster()
  const url = await desk(cluster, 'desk')
  const client = cluster.node('client', { interceptors })
  await cluster.failure(client.at<typeof Desk>(url, 'desk').fails())
  const spans = exporter.getFinishedSpans()
  expect(spans).toHaveLength(2)
  for (const { status, attributes } of spans) {
    expect(status).toEqual({ code: SpanStatusCode.ERROR, message: 'closed' })
    expect(attributes['error.type']).toBe('DESK_CLOSED')
  }
})

test('a trace from a player begins anew at the server', async () => {
  const cluster = new SimCluster()
  const url = await desk(cluster, 'desk', undefined, { trustLoopback: false })
  const player = cluster.node('player', { interceptors, trustLoopback: false })
  await cluster.result(player.at<typeof Desk>(url, 'desk').ask())
  const [server, client] = exporter.getFinishedSpans()
  expect(server?.parentSpanContext).toBeUndefined()
  expect(server?.spanContext().traceId).not.toBe(client?.spanContext().traceId)
})

test('without a provider nothing is traced and everything works', async () => {
  const cluster = new SimCluster()
  const node = cluster.node('server', { interceptors: [tracing()] })
  node.expose('desk', new Desk(node))
  const { url } = await node.listen('sim://server:1')
  const client = cluster.node('client', { interceptors: [tracing()] })
  expect(await cluster.result(client.at<typeof Desk>(url, 'desk').ask())).toBe('server')
  expect(exporter.getFinishedSpans()).toEqual([])
})
