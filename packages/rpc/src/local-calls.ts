import { callHere, frameHere } from './call-context.ts'
import { CallFinder, refusal, type Found, type IncomingRoute } from './call-finder.ts'
import { CallStack } from './call-stack.ts'
import { callStorage } from './call-storage.ts'
import { timeoutOf, type CallTarget, type SentOptions } from './call-target.ts'
import { CLOSE } from './close-codes.ts'
import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import type { ExposedMethod } from './exposure.ts'
import { priorityOf } from './extras.ts'
import type { CallTopic } from './incoming-call.ts'
import { joinArguments } from './local-arguments.ts'
import { LocalCall, type LocalCallOptions } from './local-call.ts'
import { LocalStreams } from './local-streams.ts'
import { MailboxTurns } from './mailbox-turns.ts'
import type { NodeHost } from './node-host.ts'
import type { RpcPeer } from './peer.ts'
import { PlannedCalls } from './planned-calls.ts'
import type { RetryHost } from './retrying-target.ts'
import { promiseIn, runHandler } from './run-handler.ts'
import { makeSelfPeer } from './self-peer.ts'
import { isStream } from './stream-source.ts'
import { nameOf, NOTIFY_ID, type Route } from './wire.ts'

const NOTIFICATION: LocalCallOptions = { timeoutMs: Infinity }

/**
 * Calls from a node to what it offers itself, as a server to a server: straight to the handler, with nothing encoded.
 * What holds for a call over a link holds here: tables, mailboxes, chains, deadlines, cancel, codes, streams.
 */
export class LocalCalls implements CallTarget {
  readonly #host: NodeHost
  readonly #pending = new Set<LocalCall>()
  readonly #streams: LocalStreams
  readonly #entityIds = new WeakMap<Uint8Array, string>()
  #lastEntity: Uint8Array | undefined
  #lastEntityId: string | undefined
  readonly #routes = new WeakMap<Route, IncomingRoute>()
  readonly #finder: CallFinder
  readonly #turns: MailboxTurns<LocalCall>
  readonly #stack = new CallStack()
  readonly #planned: PlannedCalls
  #peer: RpcPeer | undefined
  #lastId = 0

  constructor(host: NodeHost) {
    this.#host = host
    this.#streams = new LocalStreams(host)
    this.#finder = new CallFinder(host, 'server')
    this.#turns = new MailboxTurns(host, {
      begin: (call) => this.#count(call),
      withdrawn: (call) => this.#uncount(call),
      refuse: (call, error) => this.#refuse(call, error),
      run: (call, found, args) => {
        if (this.#askHook(call)) this.#dispatch(call, found, args)
        else this.#over(call)
      },
      pass: (call) => this.#over(call),
    })
    this.#planned = new PlannedCalls(host, this.#stack, {
      whole: ({ service, method }, entityId, outer) => {
        const from = outer ?? callStorage?.getStore()
        const of = { timeoutMs: host.defaultTimeoutMs, until: outer?.deadline, from }
        return this.#make({ service, method, entityId }, of)
      },
      refused: (error) => {
        this.#planned.hasAnsweredAtOnce = false
        return Promise.reject(this.#refusedByHook(error))
      },
      concluded: (call, method, result) => {
        this.#conclude(call, method, result)
        return this.#promiseOf(call)
      },
      failed: (call, method, error) => {
        this.#fail(call, method, error)
        this.#over(call)
        return this.#promiseOf(call)
      },
    })
  }

  get retry(): RetryHost {
    return this.#host.retry
  }

  get isClosed(): boolean {
    return this.#planned.isClosed
  }

  /** The last call had its result when `call` returned. */
  get hasAnsweredAtOnce(): boolean {
    return this.#planned.hasAnsweredAtOnce
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const planned = this.#planned
    planned.hasAnsweredAtOnce = false
    if (options !== undefined) return this.#call(route, entity, args, options)
    const answer = planned.call(route, entity, args)
    if (answer !== undefined) return answer
    const slow = this.#call(route, entity, args, undefined)
    if (planned.hasAnsweredAtOnce) {
      const found = this.#find(route, this.#idOf(entity))
      if (!(found instanceof RpcError)) {
        const peer = this.#self()
        planned.learn(route, entity, found, { peer, caller: peer.caller })
      }
    }
    return slow
  }

  notify(route: Route, entity: Uint8Array | undefined, args: readonly unknown[]): boolean {
    const { counters } = this.#host
    if (args.some(isStream)) {
      throw new RpcError('RPC_BAD_ARGUMENTS', `${nameOf(route)}: a notification takes no streams`)
    }
    if (this.isClosed) {
      counters.droppedNotifies += 1
      return false
    }
    counters.notifiesSent += 1
    counters.notifiesReceived += 1
    const { service, method } = route
    const entityId = this.#idOf(entity)
    const call = this.#make({ service, method, entityId }, NOTIFICATION, NOTIFY_ID)
    this.#stack.run(() => this.#admit(call, route, args))
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

  /** Every call that is not answered ends now, and every stream. */
  close(): void {
    if (this.isClosed) return
    this.#planned.isClosed = true
    const { counters } = this.#host
    const reason = new RpcError('RPC_CLOSED', 'the node is closed')
    for (const call of this.#pending) {
      counters.lost += 1
      const executed = this.#abandon(call, reason) ? 'no' : 'maybe'
      const text = `${call.describe()}: the node is closed`
      this.#settle(call, true, new RpcError('RPC_CLOSED', text, { executed }))
    }
    this.#streams.close(reason)
    const peer = this.#peer
    if (peer === undefined) return
    counters.peers += 1
    peer.close(CLOSE.goingAway, 'the node is stopping')
  }

  #call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const { counters, defaultTimeoutMs } = this.#host
    const signal = options?.signal
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    const until = callHere()?.deadline
    let timeoutMs: number
    let priority: number
    try {
      timeoutMs = timeoutOf(options, defaultTimeoutMs)
      priority = priorityOf(options?.priority)
      this.#checkReady(route, until)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    const { service, method } = route
    const entityId = this.#idOf(entity)
    const from = options?.from === undefined ? frameHere() : (options.from ?? undefined)
    const call = this.#make({ service, method, entityId }, { timeoutMs, until, from, signal })
    call.priority = priority
    call.trace = options?.trace
    counters.callsSent += 1
    counters.callsReceived += 1
    const given = args.some(isStream) ? joinArguments(call, args) : args
    this.#stack.run(() => this.#admit(call, route, given))
    return this.#promiseOf(call)
  }

  #make(topic: CallTopic, of: LocalCallOptions, id: number = ++this.#lastId): LocalCall {
    return new LocalCall(this.#self(), this.#host, this, id, topic, of)
  }

  #promiseOf(call: LocalCall): Promise<unknown> {
    // Calls that its handler made have said the same of themselves.
    this.#planned.hasAnsweredAtOnce = call.isSettled && !call.hasFailed
    if (call.isSettled) {
      return call.hasFailed ? Promise.reject(call.outcome as Error) : Promise.resolve(call.outcome)
    }
    this.#pending.add(call)
    this.#host.counters.pendingCalls += 1
    call.abortSignal?.addEventListener('abort', call)
    if (call.chain.length > 0) call.from?.asked.add(call)
    return call.pend()
  }

  /** Who calls, as the handlers see it: this node, at the other end of a link to itself. */
  #self(): RpcPeer {
    return (this.#peer ??= makeSelfPeer(this.#host))
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

  #admit(call: LocalCall, route: Route, args: readonly unknown[]): void {
    // It may have ended while it waited for the stack.
    if (call.isSettled) return
    const found = this.#find(route, call.topic.entityId)
    if (found instanceof RpcError) this.#refuse(call, found)
    else if (this.#askHook(call) && this.#turns.enter(call, found, args)) {
      this.#dispatch(call, found, args)
    }
  }

  #find(route: Route, entityId: string | undefined): Found | RpcError {
    let known = this.#routes.get(route)
    if (known === undefined) {
      const { service, method } = route
      known = { service, method, found: undefined }
      this.#routes.set(route, known)
    }
    const found = this.#finder.find(known, entityId)
    const { isDraining, counters } = this.#host
    if (!isDraining || found instanceof RpcError) return found
    counters.refusedOverloaded += 1
    return refusal('RPC_CLOSED', route, 'the node is stopping')
  }

  /** @returns Whether the call may go on; otherwise it has been refused. */
  #askHook(call: LocalCall): boolean {
    const { beforeDispatch } = this.#host
    if (beforeDispatch === undefined) return true
    const { peer, caller, topic, id } = call
    const { service, entityId, method } = topic
    try {
      beforeDispatch({ peer, caller, service, entityId, method, isNotify: id === NOTIFY_ID })
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

  /** @returns Whether it had not begun. */
  #abandon(call: LocalCall, reason: RpcError): boolean {
    if (this.#turns.withdraw(call)) return true
    call.end(reason)
    return false
  }

  #dispatch(call: LocalCall, found: Found, args: readonly unknown[]): void {
    let result: unknown
    try {
      this.#stack.depth += 1
      result = runHandler(call, found, args, this.#host.aroundHandler)
    } catch (error) {
      this.#fail(call, found.method, error)
      this.#over(call)
      return
    } finally {
      this.#stack.depth -= 1
    }
    this.#conclude(call, found.method, result)
  }

  #conclude(call: LocalCall, method: ExposedMethod, result: unknown): void {
    let promise: Promise<unknown> | undefined
    try {
      promise = promiseIn(method, result)
    } catch (error) {
      this.#fail(call, method, error)
      this.#over(call)
      return
    }
    if (promise === undefined) {
      this.#answer(call, method, result)
      this.#over(call)
      return
    }
    this.#count(call)
    call.runOn()
    promise.then(
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
    if (!call.isStreaming) call.dropStreams()
    call.mailbox?.leave(call)
  }

  #answer(call: LocalCall, method: ExposedMethod, result: unknown): void {
    call.finish()
    if (isStream(result)) {
      const reader = this.#streams.open(call, method, result)
      if (call.id === NOTIFY_ID || call.isSettled) void reader.return()
      else this.#settle(call, false, reader)
    } else if (!call.isSettled) this.#settle(call, false, result)
    else if (call.id !== NOTIFY_ID) this.#host.counters.lateReplies += 1
  }

  #fail(call: LocalCall, method: ExposedMethod, error: unknown): void {
    call.finish()
    const { code, message, data } = errorReply(error, 'server')
    if (call.id === NOTIFY_ID || code === 'RPC_INTERNAL') {
      this.#host.logger.warn('rpc handler failed', { method: method.name, error })
    }
    const executed = call.hasBegun ? 'yes' : 'no'
    const failure = new RpcError(code, message, { executed, data, cause: error })
    if (!call.isSettled) this.#settle(call, true, failure)
    else if (call.id !== NOTIFY_ID) this.#host.counters.lateReplies += 1
  }

  #refuse(call: LocalCall, error: RpcError): void {
    if (call.id !== NOTIFY_ID) {
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
