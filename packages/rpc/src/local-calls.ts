import { callHere, enterLight, frameHere, leaveLight, type CallContext } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import { timeoutOf, type CallTarget, type SentOptions } from './call-target.ts'
import { NO_CHAIN } from './chain.ts'
import { CLOSE } from './close-codes.ts'
import { errorReply } from './error-reply.ts'
import { RpcError, type RpcErrorCode } from './errors.ts'
import { exposeByClass, holderOf, type ExposedMethod } from './exposure.ts'
import type { CallFrame, IncomingCall } from './incoming-call.ts'
import { LightCall } from './light-call.ts'
import { priorityOf } from './extras.ts'
import { SERVER_MESSAGE_BYTES } from './limits.ts'
import { LocalCall } from './local-call.ts'
import { LocalStream } from './local-stream.ts'
import { LoopLink } from './loop-link.ts'
import type { Turns } from './mailbox.ts'
import type { NodeHost } from './node-host.ts'
import { makePeer, type RpcPeer } from './peer.ts'
import type { Dispatch, Exposed, Served } from './peer-host.ts'
import type { RetryHost } from './retrying-target.ts'
import { isPromised, runHandler, SYNC_RUNS } from './run-handler.ts'
import { isStream } from './stream-source.ts'
import type { Route } from './wire.ts'

type Handler = (...args: unknown[]) => unknown

interface Found {
  readonly record: Served
  readonly target: object
  readonly holder: Record<string, unknown>
  readonly method: ExposedMethod
  readonly mailbox: Turns<IncomingCall> | undefined
}

/** Where a route led, so that the next call by it need not look again. */
interface Plan {
  readonly calls: LocalCalls
  readonly route: Route
  readonly entity: Uint8Array | undefined
  readonly entityId: string | undefined
  readonly exposed: Served
  readonly method: ExposedMethod
  readonly type: { readonly rpc?: unknown; readonly components?: unknown }
  readonly rpc: unknown
  readonly components: unknown
  readonly dispatch: Dispatch
}

type Outer = (CallContext & CallFrame) | undefined

class PlannedCall extends LightCall {
  plan: Plan | undefined
  /** What was followed before its handler. */
  #around: CallFrame | undefined
  readonly #make: (plan: Plan, outer: Outer) => LocalCall

  constructor(make: (plan: Plan, outer: Outer) => LocalCall) {
    super()
    this.#make = make
  }

  protected override make(outer: Outer): LocalCall {
    this.#around = callStorage?.getStore()
    return this.#make(this.plan!, outer)
  }

  /** Its handler is done: what was followed before it is followed again. */
  unfollow(): void {
    const { whole } = this
    if (whole === undefined) return
    if (!whole.isUnfollowed) callStorage?.enterWith(this.#around)
    whole.isUnfollowed = false
  }
}

/** Calls inside calls run on one another's stack so deep; those after them run later, in order. */
const MAX_DEPTH = 32
/** As for calls that come over a link. */
const MAX_NOTICE_MS = 100
const NOTICE_SHARE = 0.1

/**
 * Calls from a node to what it offers itself, as a server to a server: straight to the handler, with nothing encoded.
 * What holds for a call over a link holds here: tables, mailboxes, chains, deadlines, cancel, codes.
 */
export class LocalCalls implements CallTarget {
  readonly #host: NodeHost
  readonly #pending = new Set<LocalCall>()
  readonly #entityIds = new WeakMap<Uint8Array, string>()
  #lastEntity: Uint8Array | undefined
  #lastEntityId: string | undefined
  readonly #lights: PlannedCall[] = []
  #peer: RpcPeer | undefined
  #lastId = 0
  #depth = 0
  #later: (() => void)[] = []
  isClosed = false
  /** The last call had its result when `call` returned. */
  hasAnsweredAtOnce = false

  constructor(host: NodeHost) {
    this.#host = host
  }

  get retry(): RetryHost {
    return this.#host.retry
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    this.hasAnsweredAtOnce = false
    if (options !== undefined) return this.#call(route, entity, args, options)
    const plan = route.plan as Plan | undefined
    if (plan !== undefined && plan.calls === this && this.#isFast(plan, entity)) {
      return this.#callFast(plan, args)
    }
    const answer = this.#call(route, entity, args, undefined)
    if (this.hasAnsweredAtOnce) route.plan = this.#planOf(route, entity)
    return answer
  }

  #call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const host = this.#host
    const signal = options?.signal
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const until = callHere()?.deadline
    let timeoutMs: number
    let priority: number
    try {
      timeoutMs = timeoutOf(options, host.defaultTimeoutMs)
      priority = priorityOf(options?.priority)
      this.#checkReady(route, until)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    const from = options?.from === undefined ? frameHere() : (options.from ?? undefined)
    const chain = from?.chainOn ?? NO_CHAIN
    const { service, method } = route
    const entityId = this.#idOf(entity)
    const call = new LocalCall(
      this.#self(),
      host,
      this,
      ++this.#lastId,
      timeoutMs,
      until,
      chain,
      { service, method, entityId },
      signal,
    )
    call.from = from
    call.priority = priority
    call.trace = options?.trace
    host.counters.callsSent += 1
    host.counters.callsReceived += 1
    this.#begin(call, route, entityId, args)
    return this.#promiseOf(call)
  }

  #promiseOf(call: LocalCall): Promise<unknown> {
    if (call.isSettled) {
      if (call.hasFailed) return Promise.reject(call.outcome as Error)
      this.hasAnsweredAtOnce = true
      return Promise.resolve(call.outcome)
    }
    this.#pending.add(call)
    this.#host.counters.pendingCalls += 1
    call.abortSignal?.addEventListener('abort', call)
    if (call.chain.length > 0) call.from?.asked.add(call)
    return call.pend()
  }

  /** Whether the call leads where the one before did, and nothing but its handler stands between it and its answer. */
  #isFast(plan: Plan, entity: Uint8Array | undefined): boolean {
    const host = this.#host
    if (this.isClosed || host.isDraining || host.aroundHandler !== undefined) return false
    if (this.#depth >= MAX_DEPTH || this.#later.length > 0) return false
    const { method, exposed, type } = plan
    if (method.syncRuns < SYNC_RUNS || plan.entity !== entity) return false
    if (type.rpc !== plan.rpc || type.components !== plan.components) return false
    const { mailbox } = exposed
    if (mailbox !== undefined && !mailbox.isIdle) return false
    return plan.entityId === undefined
      ? host.services.get(plan.route.service) === exposed
      : host.entities.get(plan.entityId) === exposed
  }

  /** @returns Nothing while the method may still turn out to be asynchronous. */
  #planOf(route: Route, entity: Uint8Array | undefined): Plan | undefined {
    const entityId = this.#idOf(entity)
    const found = this.#find(route, entityId)
    if (found instanceof RpcError || found.method.syncRuns < SYNC_RUNS) return undefined
    if (found.method.limit !== undefined) return undefined
    const { record: exposed, method } = found
    const type = exposed.target.constructor as Plan['type']
    const { rpc, components } = type
    const peer = this.#self()
    const dispatch = {
      peer,
      caller: peer.caller,
      service: route.service,
      entityId,
      method: route.method,
      isNotify: false,
    }
    return {
      calls: this,
      route,
      entity,
      entityId,
      exposed,
      method,
      type,
      rpc,
      components,
      dispatch,
    }
  }

  #wholeOf({ route, entityId }: Plan, outer: Outer): LocalCall {
    const { service, method } = route
    const from = outer ?? callStorage?.getStore()
    const call = new LocalCall(
      this.#self(),
      this.#host,
      this,
      ++this.#lastId,
      this.#host.defaultTimeoutMs,
      outer?.deadline,
      from?.chainOn ?? NO_CHAIN,
      { service, method, entityId },
      undefined,
    )
    call.from = from
    // As for other calls that are not followed: one that its handler makes makes it known.
    call.isUnfollowed = callStorage !== undefined
    return call
  }

  #callFast(plan: Plan, args: readonly unknown[]): Promise<unknown> {
    const host = this.#host
    const { method, exposed } = plan
    const holder = holderOf(exposed.target, method)
    if (holder === undefined) return this.#call(plan.route, plan.entity, args, undefined)
    host.counters.callsSent += 1
    host.counters.callsReceived += 1
    if (host.beforeDispatch !== undefined) {
      try {
        host.beforeDispatch(plan.dispatch)
      } catch (error) {
        return Promise.reject(this.#refusedByHook(error))
      }
    }
    const light = (this.#lights[this.#depth] ??= new PlannedCall((...of) => this.#wholeOf(...of)))
    light.plan = plan
    light.whole = undefined
    const { mailbox } = exposed
    light.mailbox = mailbox
    mailbox?.enter(light as unknown as IncomingCall, 0)
    enterLight(light)
    this.#depth += 1
    let result: unknown
    let failure: { readonly error: unknown } | undefined
    try {
      result = (holder[method.name] as Handler).apply(holder, args as unknown[])
    } catch (error) {
      failure = { error }
    } finally {
      this.#depth -= 1
      leaveLight(light)
      light.unfollow()
    }
    if (light.whole === undefined && failure === undefined && isPlain(result)) {
      mailbox?.leave(light as unknown as IncomingCall)
      this.hasAnsweredAtOnce = true
      return Promise.resolve(result)
    }
    const call = light.makeWhole() as LocalCall
    if (failure !== undefined) {
      this.#fail(call, method, failure.error)
      this.#over(call)
    } else this.#conclude(call, method, result)
    return this.#promiseOf(call)
  }

  notify(route: Route, entity: Uint8Array | undefined, args: readonly unknown[]): boolean {
    const host = this.#host
    if (this.isClosed) {
      host.counters.droppedNotifies += 1
      return false
    }
    host.counters.notifiesSent += 1
    host.counters.notifiesReceived += 1
    const { service, method } = route
    const entityId = this.#idOf(entity)
    const topic = { service, method, entityId }
    const call = new LocalCall(
      this.#self(),
      host,
      this,
      0,
      Infinity,
      undefined,
      NO_CHAIN,
      topic,
      undefined,
    )
    this.#begin(call, route, entityId, args)
    return true
  }

  expired(call: LocalCall): void {
    if (call.isSettled) return
    this.#host.counters.timeouts += 1
    const text = `${call.describe()} gave no answer in time`
    this.#settle(call, true, new RpcError('RPC_TIMEOUT', text, { executed: 'maybe' }))
  }

  aborted(call: LocalCall): void {
    this.#abandon(call, new RpcError('RPC_CLOSED', 'the caller cancelled the call'))
    this.#settle(call, true, call.abortSignal?.reason)
  }

  /** Every call that is not answered ends now. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const call of this.#pending) {
      this.#host.counters.lost += 1
      const isUnbegun = this.#abandon(call, new RpcError('RPC_CLOSED', 'the node is closed'))
      const executed = isUnbegun ? 'no' : 'maybe'
      const text = `${call.describe()}: the node is closed`
      this.#settle(call, true, new RpcError('RPC_CLOSED', text, { executed }))
    }
    const peer = this.#peer
    if (peer === undefined) return
    this.#host.counters.peers += 1
    peer.close(CLOSE.goingAway, 'the node is stopping')
  }

  /** Who calls, as the handlers see it: this node, at the other end of a link to itself. */
  #self(): RpcPeer {
    return (this.#peer ??= this.#makePeer())
  }

  #makePeer(): RpcPeer {
    const host = this.#host
    const url = `self://${host.name}`
    const peer = makePeer(host, new LoopLink(url, host.clock), {
      nodeId: host.name,
      role: '',
      caller: 'server',
      url,
      isDialled: false,
      maxReceiveBytes: SERVER_MESSAGE_BYTES,
      maxSendBytes: SERVER_MESSAGE_BYTES,
    })
    // It is no link to anybody.
    host.counters.peers -= 1
    return peer
  }

  #checkReady(route: Route, until: number | undefined): void {
    if (this.isClosed) throw new RpcError('RPC_CLOSED', `${nameOf(route)}: the node is closed`)
    if (until !== undefined && until <= this.#host.clock.now()) {
      throw new RpcError('RPC_TIMEOUT', `${nameOf(route)}: the caller's own deadline has passed`)
    }
    if (this.#pending.size >= this.#host.maxPending) {
      const text = `${nameOf(route)}: ${this.#pending.size} calls wait for this node itself`
      throw new RpcError('RPC_OVERLOADED', text)
    }
  }

  #idOf(entity: Uint8Array | undefined): string | undefined {
    if (entity === undefined) return undefined
    if (entity === this.#lastEntity) return this.#lastEntityId
    let id = this.#entityIds.get(entity)
    if (id === undefined) {
      // A varint of at most two bytes, then the id.
      id = new TextDecoder().decode(entity.subarray(entity[0]! < 0x80 ? 1 : 2))
      this.#entityIds.set(entity, id)
    }
    this.#lastEntity = entity
    this.#lastEntityId = id
    return id
  }

  #begin(
    call: LocalCall,
    route: Route,
    entityId: string | undefined,
    args: readonly unknown[],
  ): void {
    if (this.#depth < MAX_DEPTH && this.#later.length === 0) {
      this.#admit(call, route, entityId, args)
      return
    }
    this.#later.push(() => this.#admit(call, route, entityId, args))
    if (this.#later.length === 1) void Promise.resolve().then(() => this.#runLater())
  }

  #runLater(): void {
    const due = this.#later
    for (let i = 0; i < due.length; i++) due[i]!()
    this.#later = []
  }

  #admit(
    call: LocalCall,
    route: Route,
    entityId: string | undefined,
    args: readonly unknown[],
  ): void {
    // It may have ended while it waited for the stack.
    if (call.isSettled) return
    const found = this.#find(route, entityId)
    if (found instanceof RpcError) this.#refuse(call, found)
    else if (this.#host.beforeDispatch === undefined || this.#askHook(call, route, entityId)) {
      if (this.#enter(call, found, route, entityId, args)) {
        this.#dispatch(call, found.holder, found.method, args)
      }
    }
  }

  #find(route: Route, entityId: string | undefined): Found | RpcError {
    const host = this.#host
    const { counters } = host
    const record =
      entityId === undefined ? host.services.get(route.service) : host.entities.get(entityId)
    if (record === undefined) {
      counters.refusedUnknown += 1
      return entityId === undefined
        ? refusal('RPC_UNKNOWN_SERVICE', route, 'no such service is exposed')
        : refusal('RPC_UNKNOWN_ENTITY', route, `no entity ${entityId} is served here`)
    }
    const { target, mailbox } = record
    const methods = 'methods' in record ? (record as Exposed).methods : exposeByClass(target)
    const method = methods.get(route.method)
    if (method === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'no such method is exposed')
    }
    if ((method.callers & 1) === 0) {
      counters.refusedForbidden += 1
      return refusal('RPC_FORBIDDEN', route, 'not open to a server')
    }
    if (host.isDraining) {
      counters.refusedOverloaded += 1
      return refusal('RPC_CLOSED', route, 'the node is stopping')
    }
    const holder = holderOf(target, method)
    if (holder === undefined) {
      counters.refusedUnknown += 1
      return refusal('RPC_UNKNOWN_METHOD', route, 'the object has no such part now')
    }
    const turns = method.limit === undefined ? mailbox : host.gated(method, mailbox)
    return { record, target, holder, method, mailbox: turns }
  }

  #askHook(call: LocalCall, route: Route, entityId: string | undefined): boolean {
    const host = this.#host
    const { service, method } = route
    const { peer, caller } = call
    try {
      host.beforeDispatch?.({ peer, caller, service, entityId, method, isNotify: call.id === 0 })
      return true
    } catch (error) {
      this.#refuse(call, this.#refusedByHook(error))
      return false
    }
  }

  #refusedByHook(error: unknown): RpcError {
    this.#host.counters.refusedByHook += 1
    const { code, message, data } = errorReply(error, 'server')
    return new RpcError(code, message, { data, cause: error })
  }

  /** @returns Whether the call runs now. Otherwise it waits for its turn, or has been refused. */
  #enter(
    call: LocalCall,
    found: Found,
    route: Route,
    entityId: string | undefined,
    args: readonly unknown[],
  ): boolean {
    const { mailbox, target, method } = found
    if (mailbox === undefined) return true
    const host = this.#host
    const { counters } = host
    const entered = mailbox.enter(call, host.maxWaitingPerObject)
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
        host.deadlocks.remove(call)
        this.#takeTurn(call, target, method, route, entityId, args)
      },
      expire: () => {
        if (!this.#withdraw(call)) return
        counters.timeouts += 1
        this.#refuse(call, refusal('RPC_TIMEOUT', route, 'its turn did not come in time'))
      },
    }
    host.deadlocks.add(call, (trail) => {
      if (!this.#withdraw(call)) return
      counters.deadlocks += 1
      const text = `these wait for one another: ${trail.join(' → ')}`
      this.#refuse(call, new RpcError('RPC_DEADLOCK', text, { data: { chain: trail } }))
    })
    const { deadline } = call
    if (deadline === undefined) call.wait(waiting, undefined)
    else {
      const notice = Math.min(MAX_NOTICE_MS, (deadline - host.clock.now()) * NOTICE_SHARE)
      call.wait(waiting, deadline - notice)
    }
    return false
  }

  /** What held when the call came may not hold any more. */
  #takeTurn(
    call: LocalCall,
    target: object,
    method: ExposedMethod,
    route: Route,
    entityId: string | undefined,
    args: readonly unknown[],
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
  #withdraw(call: LocalCall): boolean {
    if (call.waiting === undefined || call.mailbox?.withdraw(call) !== true) return false
    call.waiting = undefined
    call.finish()
    this.#host.deadlocks.remove(call)
    this.#host.counters.waitingCalls -= 1
    this.#uncount(call)
    return true
  }

  /** @returns Whether it had not begun. */
  #abandon(call: LocalCall, reason: RpcError): boolean {
    if (this.#withdraw(call)) return true
    call.end(reason)
    return false
  }

  #dispatch(
    call: LocalCall,
    holder: Record<string, unknown>,
    method: ExposedMethod,
    args: readonly unknown[],
  ): void {
    let result: unknown
    try {
      this.#depth += 1
      result = runHandler(call, { holder, method }, args, this.#host.aroundHandler)
    } catch (error) {
      this.#fail(call, method, error)
      this.#over(call)
      return
    } finally {
      this.#depth -= 1
    }
    this.#conclude(call, method, result)
  }

  #conclude(call: LocalCall, method: ExposedMethod, result: unknown): void {
    if (isPromised(method, result)) {
      this.#await(call, method, result)
      return
    }
    this.#answer(call, result)
    this.#over(call)
  }

  #await(call: LocalCall, method: ExposedMethod, result: PromiseLike<unknown>): void {
    this.#count(call)
    call.runOn()
    result.then(
      (value) => {
        this.#answer(call, value)
        this.#over(call)
      },
      (error: unknown) => {
        this.#fail(call, method, error)
        this.#over(call)
      },
    )
  }

  #count(call: LocalCall): void {
    if (call.isCounted) return
    call.isCounted = true
    this.#host.counters.runningCalls += 1
  }

  #uncount(call: LocalCall): void {
    if (!call.isCounted) return
    call.isCounted = false
    this.#host.counters.runningCalls -= 1
  }

  /** The call is answered: the next one in its mailbox may run. */
  #over(call: LocalCall): void {
    call.finish()
    this.#uncount(call)
    call.mailbox?.leave(call)
  }

  #answer(call: LocalCall, result: unknown): void {
    call.finish()
    if (isStream(result)) {
      const stream = new LocalStream(call, result, this.#host.counters)
      if (call.id === 0 || call.isSettled) void stream.return()
      else this.#settle(call, false, stream)
    } else if (!call.isSettled) this.#settle(call, false, result)
    else if (call.id !== 0) this.#host.counters.lateReplies += 1
  }

  #fail(call: LocalCall, method: ExposedMethod, error: unknown): void {
    call.finish()
    const { code, message, data } = errorReply(error, 'server')
    if (call.id === 0 || code === 'RPC_INTERNAL') {
      this.#host.logger.warn('rpc handler failed', { method: method.name, error })
    }
    const failure = new RpcError(code, message, {
      executed: call.hasBegun ? 'yes' : 'no',
      data,
      cause: error,
    })
    if (!call.isSettled) this.#settle(call, true, failure)
    else if (call.id !== 0) this.#host.counters.lateReplies += 1
  }

  #refuse(call: LocalCall, error: RpcError): void {
    if (call.id !== 0) {
      this.#settle(call, true, error)
      return
    }
    this.#host.counters.droppedNotifies += 1
    this.#host.logger.debug('rpc notification refused', { reason: error.message })
  }

  #settle(call: LocalCall, hasFailed: boolean, outcome: unknown): void {
    if (call.isSettled) return
    call.settle(hasFailed, outcome)
    if (!this.#pending.delete(call)) return
    this.#host.counters.pendingCalls -= 1
    call.abortSignal?.removeEventListener('abort', call)
    call.from?.asked.delete(call)
  }
}

/** Nothing that has to be waited for or read. */
const isPlain = (result: unknown): boolean =>
  typeof result !== 'object' || result === null || !(isThenable(result) || isStream(result))

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { then?: unknown }).then === 'function'

const nameOf = (route: Route): string => `${route.service || 'entity'}.${route.method}`

const refusal = (code: RpcErrorCode, route: Route, why: string): RpcError =>
  new RpcError(code, `${nameOf(route)}: ${why}`)
