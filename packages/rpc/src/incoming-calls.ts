import type { ByteReader } from './byte-reader.ts'
import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import { decodeExtras, NO_CHAIN, type Chain } from './chain.ts'
import type { BodyDecoder } from './codec.ts'
import { errorReply } from './error-reply.ts'
import { RpcError, type Executed, type RpcErrorCode } from './errors.ts'
import { CALLER_BIT, exposeByClass, holderOf, type ExposedMethod } from './exposure.ts'
import { IncomingCall } from './incoming-call.ts'
import type { Link } from './link.ts'
import type { Mailbox } from './mailbox.ts'
import type { RpcPeer } from './peer.ts'
import type { Exposed, PeerHost } from './peer-host.ts'
import { checkArguments, type ArgumentsSchema } from './standard-schema.ts'
import { OutgoingStreams } from './outgoing-streams.ts'
import { isStream } from './stream-source.ts'
import {
  encodeError,
  encodeReply,
  FLAG,
  MAX_NAME_BYTES,
  MAX_ROUTE_BYTES,
  MAX_ROUTES,
  MAX_TRAIL_NAME_BYTES,
} from './wire.ts'

interface IncomingRoute {
  readonly service: string
  readonly method: string
}

const NOTIFY_ID = 0

type Handler = (...args: unknown[]) => unknown

/** A call that may run. */
interface Admitted {
  readonly target: object
  readonly holder: Record<string, unknown>
  readonly method: ExposedMethod
  readonly mailbox: Mailbox<IncomingCall> | undefined
}

/** A call that waited begins this long before its deadline at the latest, so that who made it hears that it did not. */
const MAX_NOTICE_MS = 100
const NOTICE_SHARE = 0.1

/** The serving half of a peer: finds what a frame calls, checks that it may, runs it, answers. */
export class IncomingCalls {
  readonly #peer: RpcPeer
  readonly #host: PeerHost
  readonly #link: Link
  readonly #decoder: BodyDecoder
  readonly #callerBit: number
  readonly #maxMessageBytes: number
  readonly #maxRunning: number
  /** Services of this link alone. */
  readonly services: Map<string, Exposed> = new Map()
  readonly #routes: IncomingRoute[] = []
  readonly #running = new Map<number, IncomingCall>()
  readonly #streams: OutgoingStreams
  #runningCount = 0
  #routeBytes = 0
  #isClosed = false

  constructor(
    peer: RpcPeer,
    host: PeerHost,
    link: Link,
    decoder: BodyDecoder,
    maxMessageBytes: number,
  ) {
    this.#peer = peer
    this.#host = host
    this.#link = link
    this.#decoder = decoder
    this.#callerBit = CALLER_BIT[peer.caller]
    this.#maxMessageBytes = maxMessageBytes
    this.#streams = new OutgoingStreams(host, link, peer.caller, maxMessageBytes)
    this.#maxRunning = peer.caller === 'player' ? host.maxRunningPerPlayer : Infinity
  }

  /** @returns Whether the announcement was in order. */
  onRoute(reader: ByteReader): boolean {
    const id = reader.varint()
    const route = readRoute(reader)
    if (reader.bad || reader.at !== reader.bytes.length) return false
    if (id !== this.#routes.length || id >= MAX_ROUTES) return false
    this.#routeBytes += reader.bytes.length
    if (this.#routeBytes > 2 * MAX_ROUTE_BYTES) return false
    this.#routes.push(route)
    return true
  }

  /** @returns Whether the frame was well-formed; arguments that are not are answered. */
  onCall(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const timeoutMs = reader.varint()
    if (id === NOTIFY_ID) return false
    this.#host.counters.callsReceived += 1
    const deadline = timeoutMs === 0 ? undefined : this.#host.clock.now() + timeoutMs
    return this.#receive(id, deadline, flags, reader)
  }

  /** @returns Whether the frame was well-formed. */
  onNotify(flags: number, reader: ByteReader): boolean {
    this.#host.counters.notifiesReceived += 1
    return this.#receive(NOTIFY_ID, undefined, flags, reader)
  }

  onCancel(id: number): void {
    const reason = new RpcError('RPC_CLOSED', 'the caller cancelled the call')
    this.#streams.stop(id, reason)
    const call = this.#running.get(id)
    if (call !== undefined && !this.#withdraw(call)) call.end(reason)
  }

  /** @returns Whether a peer may send this, and the frame was well-formed. */
  onProbe(reader: ByteReader): boolean {
    const id = reader.u32()
    const origin = reader.u32() + reader.u32() * 2 ** 32
    const round = reader.u32()
    const hops = reader.u8()
    const names = reader.u8()
    const trail = Array.from({ length: names }, () => reader.string(MAX_TRAIL_NAME_BYTES))
    if (!reader.isDone || this.#peer.caller !== 'server') return false
    const call = this.#running.get(id)
    if (call !== undefined) this.#host.deadlocks.onProbe({ origin, round, hops, trail }, call)
    return true
  }

  /** @returns Whether the frame was well-formed. */
  onCredit(reader: ByteReader): boolean {
    const id = reader.u32()
    const items = reader.varint()
    if (!reader.isDone) return false
    this.#streams.grant(id, items)
    return true
  }

  onDrain(): void {
    this.#streams.onDrain()
  }

  /** The link is gone: handlers are told, their answers are dropped. */
  close(why: string): void {
    this.#isClosed = true
    const reason = new RpcError('RPC_CLOSED', `the caller is gone: ${why}`)
    for (const call of this.#running.values()) if (!this.#withdraw(call)) call.end(reason)
    this.#running.clear()
    this.#streams.close(reason)
  }

  #receive(id: number, deadline: number | undefined, flags: number, reader: ByteReader): boolean {
    const route = (flags & FLAG.inline) !== 0 ? readRoute(reader) : this.#routes[reader.varint()]
    const entityId = (flags & FLAG.entity) !== 0 ? reader.string(MAX_NAME_BYTES) : undefined
    const extras = (flags & FLAG.extras) !== 0 ? reader.raw(reader.varint()) : undefined
    if (reader.bad || route === undefined) return false
    const call = new IncomingCall(this.#peer, this.#host, id, deadline, this.#chainOf(extras), {
      ...route,
      entityId,
    })
    const found = this.#find(route, entityId)
    if (found instanceof RpcError) {
      this.#refuse(call, found)
      return true
    }
    if (this.#host.beforeDispatch !== undefined && !this.#askHook(call, route, entityId))
      return true
    let args: unknown[] | undefined
    try {
      args = this.#decoder.decode(reader.bytes, reader.at) as unknown[]
    } catch (error) {
      this.#host.counters.refusedMalformed += 1
      this.#refuse(call, new RpcError('RPC_BAD_ARGUMENTS', (error as Error).message))
      return true
    }
    if (!Array.isArray(args)) return false
    const { schema } = found.method
    if (schema !== undefined && this.#peer.caller !== 'server') {
      args = this.#validated(call, route, schema, args)
      if (args === undefined) return true
    }
    if (this.#enter(call, found, route, entityId, args)) {
      this.#dispatch(call, found.holder, found.method, args)
    }
    return true
  }

  /** @returns The arguments as the schema gives them; `undefined` when the call has been refused. */
  #validated(
    call: IncomingCall,
    route: IncomingRoute,
    schema: ArgumentsSchema,
    args: unknown[],
  ): unknown[] | undefined {
    try {
      const checked = checkArguments(schema, args)
      if ('args' in checked) return checked.args
      const { issues } = checked
      this.#host.counters.refusedMalformed += 1
      const { code, message } = refusal('RPC_BAD_ARGUMENTS', route, issues[0]?.message ?? 'refused')
      this.#refuse(call, new RpcError(code, message, { data: { issues } }))
    } catch (error) {
      this.#host.logger.warn('rpc schema failed', { method: route.method, error })
      this.#refuse(call, refusal('RPC_BAD_ARGUMENTS', route, 'they cannot be checked'))
    }
    return undefined
  }

  /** Only servers say truly who waits for whom. */
  #chainOf(extras: Uint8Array | undefined): Chain {
    return extras === undefined || this.#peer.caller !== 'server' ? NO_CHAIN : decodeExtras(extras)
  }

  /** @returns Whether the call runs now. Otherwise it waits for its turn, or has been refused. */
  #enter(
    call: IncomingCall,
    found: Admitted,
    route: IncomingRoute,
    entityId: string | undefined,
    args: unknown[],
  ): boolean {
    const { mailbox, target, method } = found
    if (mailbox === undefined) return true
    const { counters, clock, maxWaitingPerObject } = this.#host
    const entered = mailbox.enter(call, maxWaitingPerObject)
    if (entered === 'full') {
      counters.refusedOverloaded += 1
      this.#refuse(call, refusal('RPC_OVERLOADED', route, `${mailbox.waiting} calls wait for it`))
      return false
    }
    call.mailbox = mailbox
    if (entered === 'run') return true
    this.#count(call)
    counters.waitingCalls += 1
    const waiting = {
      run: () => {
        counters.waitingCalls -= 1
        this.#host.deadlocks.remove(call)
        this.#takeTurn(call, target, method, route, entityId, args)
      },
      expire: () => {
        if (!this.#withdraw(call)) return
        counters.timeouts += 1
        this.#refuse(call, refusal('RPC_TIMEOUT', route, 'its turn did not come in time'))
      },
    }
    this.#host.deadlocks.add(call, (trail) => {
      if (!this.#withdraw(call)) return
      counters.deadlocks += 1
      const text = `these wait for one another: ${trail.join(' → ')}`
      this.#refuse(call, new RpcError('RPC_DEADLOCK', text, { data: { chain: trail } }))
    })
    const { deadline } = call
    if (deadline === undefined) call.wait(waiting, undefined)
    else {
      const notice = Math.min(MAX_NOTICE_MS, (deadline - clock.now()) * NOTICE_SHARE)
      call.wait(waiting, deadline - notice)
    }
    return false
  }

  /** What held when the call came may not hold any more. */
  #takeTurn(
    call: IncomingCall,
    target: object,
    method: ExposedMethod,
    route: IncomingRoute,
    entityId: string | undefined,
    args: unknown[],
  ): void {
    const host = this.#host
    const isThere = entityId === undefined || host.entities.get(entityId)?.target === target
    const holder = isThere ? holderOf(target, method) : undefined
    if (holder === undefined) {
      host.counters.refusedUnknown += 1
      const code = isThere ? 'RPC_UNKNOWN_METHOD' : 'RPC_UNKNOWN_ENTITY'
      this.#refuse(call, refusal(code, route, 'it went away before the turn of the call came'))
    } else if (host.beforeDispatch === undefined || this.#askHook(call, route, entityId)) {
      this.#dispatch(call, holder, method, args)
      return
    }
    this.#over(call)
  }

  /** Takes a call out of the mailbox it waits in. @returns Whether it waited. */
  #withdraw(call: IncomingCall): boolean {
    if (call.waiting === undefined || call.mailbox?.withdraw(call) !== true) return false
    call.waiting = undefined
    call.finish()
    this.#host.deadlocks.remove(call)
    this.#host.counters.waitingCalls -= 1
    this.#uncount(call)
    return true
  }

  #askHook(call: IncomingCall, route: IncomingRoute, entityId: string | undefined): boolean {
    const { service, method } = route
    const isNotify = call.id === NOTIFY_ID
    const peer = this.#peer
    try {
      const dispatch = { peer, caller: peer.caller, service, entityId, method, isNotify }
      this.#host.beforeDispatch?.(dispatch)
      return true
    } catch (error) {
      this.#host.counters.refusedByHook += 1
      const { code, message, data } = errorReply(error, peer.caller)
      this.#refuse(call, new RpcError(code, message, { data }))
      return false
    }
  }

  #find(route: IncomingRoute, entityId: string | undefined): Admitted | RpcError {
    const host = this.#host
    const { counters } = host
    const exposed = this.#exposed(route, entityId)
    if (exposed instanceof RpcError) return exposed
    const method = exposed.methods.get(route.method)
    if (method === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'no such method is exposed')
    }
    if ((method.callers & this.#callerBit) === 0) {
      counters.refusedForbidden += 1
      return refusal('RPC_FORBIDDEN', route, `not open to a ${this.#peer.caller}`)
    }
    if (this.#runningCount + this.#streams.size >= this.#maxRunning) {
      counters.refusedOverloaded += 1
      return refusal('RPC_OVERLOADED', route, `${this.#runningCount} calls are running`)
    }
    if (host.isDraining) {
      counters.refusedOverloaded += 1
      return refusal('RPC_CLOSED', route, 'the node is stopping')
    }
    const holder = holderOf(exposed.target, method)
    if (holder === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'the object has no such part now')
    }
    return { target: exposed.target, holder, method, mailbox: exposed.mailbox }
  }

  #exposed(route: IncomingRoute, entityId: string | undefined): Exposed | RpcError {
    const host = this.#host
    if (entityId === undefined) {
      const exposed = this.services.get(route.service) ?? host.services.get(route.service)
      if (exposed !== undefined) return exposed
      host.counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_SERVICE', route, 'no such service is exposed')
    }
    if (this.#peer.caller === 'player') {
      host.counters.refusedForbidden += 1
      return refusal('RPC_FORBIDDEN', route, 'entities are not open to a player')
    }
    const served = host.entities.get(entityId)
    if (served !== undefined) {
      const { target, mailbox } = served
      return { target, methods: exposeByClass(target), mailbox }
    }
    host.counters.refusedUnknown += 1
    return refusal('RPC_UNKNOWN_ENTITY', route, `no entity ${entityId} is served here`)
  }

  #dispatch(
    call: IncomingCall,
    holder: Record<string, unknown>,
    method: ExposedMethod,
    args: unknown[],
  ): void {
    let result: unknown
    try {
      result = this.#run(call, holder[method.name] as Handler, holder, args)
    } catch (error) {
      this.#fail(call, method, error)
      this.#over(call)
      return
    }
    if (isThenable(result)) this.#await(call, method, result)
    else {
      this.#answer(call, method, result)
      this.#over(call)
    }
  }

  #run(call: IncomingCall, handler: Handler, holder: object, args: unknown[]): unknown {
    const before = enterCall(call)
    try {
      const isInChain = call.mailbox !== undefined || call.chain.length > 0
      const frame = isInChain ? call : undefined
      // A link that was dialled by a handler still brings that handler's context along.
      if (callStorage === undefined || callStorage.getStore() === frame) {
        return handler.apply(holder, args)
      }
      return callStorage.run(frame, () => handler.apply(holder, args))
    } finally {
      enterCall(before)
    }
  }

  #await(call: IncomingCall, method: ExposedMethod, result: PromiseLike<unknown>): void {
    this.#count(call)
    result.then(
      (value) => {
        this.#answer(call, method, value)
        this.#over(call)
      },
      (error: unknown) => {
        this.#fail(call, method, error)
        this.#over(call)
      },
    )
  }

  /** From here on it is an unfinished call. */
  #count(call: IncomingCall): void {
    if (call.isCounted) return
    call.isCounted = true
    this.#runningCount += 1
    this.#host.counters.runningCalls += 1
    // A notification has no id to be cancelled by; a second one of the same id replaces the first here.
    if (call.id !== NOTIFY_ID) this.#running.set(call.id, call)
  }

  #uncount(call: IncomingCall): void {
    if (!call.isCounted) return
    call.isCounted = false
    this.#runningCount -= 1
    this.#host.counters.runningCalls -= 1
    if (this.#running.get(call.id) === call) this.#running.delete(call.id)
  }

  /** The call is answered: the next one in its mailbox may run. */
  #over(call: IncomingCall): void {
    call.finish()
    this.#uncount(call)
    call.mailbox?.leave(call)
  }

  #answer(call: IncomingCall, method: ExposedMethod, result: unknown): void {
    call.finish()
    if (call.id === NOTIFY_ID || this.#isClosed) return
    if (isStream(result)) {
      this.#streams.open(call, method, result)
      return
    }
    try {
      const frame = encodeReply(call.id, result)
      if (frame.length > this.#maxMessageBytes) {
        throw new RangeError(`${frame.length} bytes, ${this.#maxMessageBytes} are accepted`)
      }
      this.#link.send(frame)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#host.logger.warn('rpc result cannot be sent', { method: method.name, reason })
      const code = error instanceof RangeError ? 'RPC_TOO_LARGE' : 'RPC_BAD_REPLY'
      this.#sendError(call.id, 'yes', code, `the result cannot be sent: ${reason}`, undefined)
    }
  }

  #fail(call: IncomingCall, method: ExposedMethod, error: unknown): void {
    call.finish()
    const reply = errorReply(error, this.#peer.caller)
    if (call.id === NOTIFY_ID || reply.code === 'RPC_INTERNAL') {
      this.#host.logger.warn('rpc handler failed', { method: method.name, error })
    }
    if (call.id !== NOTIFY_ID && !this.#isClosed) {
      this.#sendError(call.id, 'yes', reply.code, reply.message, reply.data)
    }
  }

  #refuse(call: IncomingCall, error: RpcError): void {
    if (call.id === NOTIFY_ID) {
      this.#host.counters.droppedNotifies += 1
      this.#host.logger.debug('rpc notification refused', { reason: error.message })
      return
    }
    this.#sendError(call.id, 'no', error.code, error.message, error.data)
  }

  #sendError(id: number, executed: Executed, code: string, message: string, data: unknown): void {
    let frame: Uint8Array
    try {
      frame = encodeError(id, executed, code, message, data)
      if (frame.length > this.#maxMessageBytes)
        frame = encodeError(id, executed, code, message, undefined)
    } catch {
      frame = encodeError(id, executed, code, message, undefined)
    }
    this.#link.send(frame)
  }
}

function readRoute(reader: ByteReader): IncomingRoute {
  const service = reader.string(MAX_NAME_BYTES)
  const method = reader.string(MAX_NAME_BYTES)
  return { service, method }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

function refusal(code: RpcErrorCode, route: IncomingRoute, why: string): RpcError {
  return new RpcError(code, `${route.service || 'entity'}.${route.method}: ${why}`)
}
