import type { ByteReader } from './byte-reader.ts'
import { RpcError, type RpcErrorCode } from './errors.ts'
import { CALLER_BIT, exposeByClass, holderOf, type ExposedMethod } from './exposure.ts'
import type { ExposedMethods } from './exposure.ts'
import type { CallTopic, IncomingCall } from './incoming-call.ts'
import type { Turns } from './mailbox.ts'
import type { Exposed, PeerHost, Served } from './peer-host.ts'
import type { CallerKind } from './remote-types.ts'
import { FLAG, MAX_NAME_BYTES, MAX_ROUTE_BYTES, MAX_ROUTES } from './wire.ts'

/** A method the other end has named. */
export interface IncomingRoute {
  readonly service: string
  readonly method: string
  /** Where it led the last time. */
  found: Found | undefined
}

/** What a call is for, and may run. */
export interface Found {
  readonly source: Exposed | Served
  readonly methods: ExposedMethods
  readonly target: object
  readonly holder: Record<string, unknown>
  readonly method: ExposedMethod
  readonly mailbox: Turns<IncomingCall> | undefined
  readonly topic: CallTopic
}

/** Knows the routes of the other end, and finds what they lead to, if it may be called. */
export class CallFinder {
  readonly #host: PeerHost
  readonly #caller: CallerKind
  readonly #callerBit: number
  /** Services of this link alone. */
  readonly services: Map<string, Exposed> = new Map()
  readonly #routes: IncomingRoute[] = []
  #routeBytes = 0

  constructor(host: PeerHost, caller: CallerKind) {
    this.#host = host
    this.#caller = caller
    this.#callerBit = CALLER_BIT[caller]
  }

  /** @returns Whether the announcement was in order. */
  onRoute(reader: ByteReader): boolean {
    const bytes = reader.end - reader.at
    const id = reader.varint()
    const route = readRoute(reader)
    if (!reader.isDone) return false
    if (id !== this.#routes.length || id >= MAX_ROUTES) return false
    this.#routeBytes += bytes
    if (this.#routeBytes > 2 * MAX_ROUTE_BYTES) return false
    this.#routes.push(route)
    return true
  }

  /** `undefined` when there is none of that number. */
  readRoute(flags: number, reader: ByteReader): IncomingRoute | undefined {
    return (flags & FLAG.inline) !== 0 ? readRoute(reader) : this.#routes[reader.varint()]
  }

  find(route: IncomingRoute, entityId: string | undefined): Found | RpcError {
    const { counters } = this.#host
    const source = this.#source(route, entityId)
    if (source instanceof RpcError) {
      // What is gone is not held.
      route.found = undefined
      return source
    }
    const { target } = source
    // The table of a class may be replaced while it runs.
    const methods = 'methods' in source ? source.methods : exposeByClass(target)
    const before = route.found
    const isKnown = before !== undefined && before.source === source && before.methods === methods
    const method = isKnown ? before.method : methods.get(route.method)
    if (method === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'no such method is exposed')
    }
    if ((method.callers & this.#callerBit) === 0) {
      counters.refusedForbidden += 1
      return refusal('RPC_FORBIDDEN', route, `not open to a ${this.#caller}`)
    }
    const holder = holderOf(target, method)
    if (holder === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'the object has no such part now')
    }
    if (isKnown && before.holder === holder && before.topic.entityId === entityId) return before
    const topic = { service: route.service, method: route.method, entityId }
    const mailbox =
      method.limit === undefined ? source.mailbox : this.#host.gated(method, source.mailbox)
    const found = { source, methods, target, holder, method, mailbox, topic }
    route.found = found
    return found
  }

  #source(route: IncomingRoute, entityId: string | undefined): Exposed | Served | RpcError {
    const host = this.#host
    if (entityId === undefined) {
      const { services } = this
      const own = services.size === 0 ? undefined : services.get(route.service)
      const exposed = own ?? host.services.get(route.service)
      if (exposed !== undefined) return exposed
      host.counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_SERVICE', route, 'no such service is exposed')
    }
    if (this.#caller === 'player') {
      host.counters.refusedForbidden += 1
      return refusal('RPC_FORBIDDEN', route, 'entities are not open to a player')
    }
    const served = host.entities.get(entityId)
    if (served !== undefined) return served
    host.counters.refusedUnknown += 1
    return refusal('RPC_UNKNOWN_ENTITY', route, `no entity ${entityId} is served here`)
  }
}

function readRoute(reader: ByteReader): IncomingRoute {
  const service = reader.string(MAX_NAME_BYTES)
  const method = reader.string(MAX_NAME_BYTES)
  return { service, method, found: undefined }
}

export function refusal(
  code: RpcErrorCode,
  { service, method }: { readonly service: string; readonly method: string },
  why: string,
): RpcError {
  return new RpcError(code, `${service || 'entity'}.${method}: ${why}`)
}
