import { callHere, frameHere } from './call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from './call-target.ts'
import { NO_CHAIN, type Chain } from './chain.ts'
import { encodeExtras, priorityOf } from './extras.ts'
import { CallTable } from './call-table.ts'
import { FunctionFound, type BodyDecoder } from './codec.ts'
import type { Probe } from './deadlock-watch.ts'
import { RpcError } from './errors.ts'
import { FrameSender, TooLarge } from './frame-sender.ts'
import type { CallFrame } from './incoming-call.ts'
import { dataOf, IncomingStreams } from './incoming-streams.ts'
import type { Link } from './link.ts'
import type { Passing } from './passing.ts'
import type { PeerHost } from './peer-host.ts'
import { PendingCall, TiedCall } from './pending-call.ts'
import type { RetryHost } from './retrying-target.ts'
import { isStream } from './stream-source.ts'
import type { ByteReader } from './byte-reader.ts'
import { encodeNotifyFrame } from './body-frames.ts'
import {
  decodeExecuted,
  encodeIdFrame,
  encodeProbe,
  encodeRoute,
  FLAG,
  KIND,
  MAX_ERROR_TEXT_BYTES,
  MAX_NAME_BYTES,
  MAX_ROUTE_BYTES,
  MAX_ROUTES,
  nameOf,
  type Route,
} from './wire.ts'

/** Calls are refused above this while the other end is slow, well before the link itself would close. */
const OVERLOAD_BYTES = 512 * 1024

/** The calling half of a peer: numbers routes and calls, and ends each call exactly once. */
export class OutgoingCalls implements CallTarget {
  readonly #host: PeerHost
  readonly #link: Link
  readonly #decoder: BodyDecoder
  readonly #sender: FrameSender
  /** The other end is a server: it hears, and may believe, who waits for a call. */
  readonly #carriesChains: boolean
  readonly #pending = new CallTable<PendingCall>()
  /** Of the calls that were answered with one. */
  readonly streams: IncomingStreams
  readonly #passing: Passing | undefined
  readonly #isTaken = (id: number): boolean =>
    this.streams.has(id) || this.#passing?.isSending(id) === true
  readonly #routes = new Map<string, number>()
  #routeBytes = 0
  #congested = false
  #closed: string | undefined

  constructor(
    host: PeerHost,
    link: Link,
    decoder: BodyDecoder,
    maxMessageBytes: number,
    carriesChains: boolean,
    passing: Passing | undefined,
  ) {
    this.#passing = passing
    this.#host = host
    this.#carriesChains = carriesChains
    this.#link = link
    this.#decoder = decoder
    this.streams = new IncomingStreams(link, decoder, host.counters)
    this.#sender = new FrameSender(link, maxMessageBytes)
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    if (this.#passing?.hasWork(args)) return this.#passing.call(route, entity, args, options)
    const host = this.#host
    const signal = options?.signal
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    let timeoutMs: number
    let priority = 0
    try {
      if (options?.priority !== undefined) priority = priorityOf(options.priority)
      timeoutMs = timeoutOf(options, host.defaultTimeoutMs)
      // A call made while handling a call ends with it.
      const until = callHere()?.deadline
      if (until !== undefined) timeoutMs = Math.min(timeoutMs, until - host.clock.now())
      this.#checkReady(route, timeoutMs)
    } catch (error) {
      return Promise.reject(error as Error)
    }

    const pending = this.#pending
    const id = this.nextId()
    const frame = this.#carriesChains ? frameOf(options) : undefined
    const chain = frame?.chainOn ?? NO_CHAIN
    const isInChain = chain.length > 0
    const extras =
      options === undefined && !isInChain ? undefined : this.#extrasOf(chain, priority, options)

    let resolve!: (value: unknown) => void
    const promise = new Promise<unknown>((resolveIt) => {
      resolve = resolveIt
    })
    const call =
      signal === undefined && !isInChain
        ? new PendingCall(id, this, route, resolve)
        : new TiedCall(id, this, route, resolve, signal, isInChain ? frame : undefined)
    pending.add(call)
    host.counters.pendingCalls += 1
    host.wheel.addFor(call, timeoutMs)
    try {
      const routeId = this.#routeId(route)
      const sent = this.#sender.call(id, Math.ceil(timeoutMs), routeId, route, entity, extras, args)
      if (!sent) this.#congested = true
      host.counters.callsSent += 1
    } catch (error) {
      this.#remove(call)
      // A remote inside an argument: found only now, because looking for it would cost every call.
      if (this.#passing !== undefined && error instanceof FunctionFound) {
        call.resolve(this.#passing.call(route, entity, args, options))
      } else call.reject(asEncodeError(route, error))
    }
    return promise
  }

  get retry(): RetryHost | undefined {
    return this.#host.retry
  }

  /** A number for a call or a stream. */
  nextId(): number {
    const isAlone = this.streams.size === 0 && this.#passing?.isIdle !== false
    return this.#pending.nextId(isAlone ? undefined : this.#isTaken)
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    if (this.#passing?.hasWork(args)) {
      if (args.some(isStream)) {
        throw new RpcError('RPC_BAD_ARGUMENTS', `${nameOf(route)}: a notification takes no streams`)
      }
      return this.#passing.encode(() => this.notify(route, entity, args, unreliable))
    }
    const { counters } = this.#host
    if (this.#closed !== undefined || this.#isOverloaded()) {
      counters.droppedNotifies += 1
      return false
    }
    try {
      if (unreliable && this.#link.sendUnreliable !== undefined) {
        // A number could arrive before the frame that gives it.
        const frame = encodeNotifyFrame(-1, route, entity, args)
        this.#sender.checkSize(frame.length)
        counters.notifiesSent += 1
        return this.#link.sendUnreliable(frame)
      }
      if (!this.#sender.notify(this.#routeId(route), route, entity, args)) this.#congested = true
      counters.notifiesSent += 1
      return true
    } catch (error) {
      throw asEncodeError(route, error)
    }
  }

  /** @returns Whether the frame was well-formed; a result that cannot be read ends its call. */
  onReply(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    if (reader.bad) return false
    const call = this.#take(id)
    if (call === undefined) return true
    if ((flags & FLAG.void) !== 0) {
      call.resolve(undefined)
      return true
    }
    try {
      call.resolve(this.#decoder.decode(reader.bytes, reader.at, reader.end))
    } catch (cause) {
      const text = `the answer of ${nameOf(call.route)} cannot be read`
      call.reject(new RpcError('RPC_BAD_REPLY', text, { executed: 'yes', cause }))
    }
    return true
  }

  /** @returns Whether the frame was well-formed. */
  onError(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const executed = decodeExecuted(reader.u8())
    const code = reader.string(MAX_NAME_BYTES)
    const message = reader.string(MAX_ERROR_TEXT_BYTES)
    if (reader.bad) return false
    const call = this.#take(id)
    if (call === undefined) return true
    const data = dataOf(this.#decoder, flags, reader)
    call.reject(new RpcError(code, message, { executed, data }))
    return true
  }

  /** The answer is a stream. @returns Whether the frame was well-formed. */
  onStream(reader: ByteReader): boolean {
    const id = reader.u32()
    if (!reader.isDone) return false
    const call = this.#take(id)
    if (call === undefined) this.streams.refuse(id)
    else this.streams.open(call)
    return true
  }

  onDrain(): void {
    this.#congested = false
  }

  expire(call: PendingCall): void {
    if (!this.#remove(call)) return
    this.#host.counters.timeouts += 1
    const text = `${nameOf(call.route)} at ${this.#link.remote} gave no answer in time`
    call.reject(new RpcError('RPC_TIMEOUT', text, { executed: 'maybe' }))
  }

  abort(call: TiedCall): void {
    if (!this.#remove(call)) return
    this.#link.send(encodeIdFrame(KIND.cancel, call.id))
    call.reject(call.signal?.reason)
  }

  probe(call: TiedCall, probe: Probe): void {
    this.#link.send(encodeProbe(call.id, probe))
  }

  /** The link is gone: every call ends now. */
  close(why: string): void {
    if (this.#closed !== undefined) return
    this.#closed = why
    this.streams.close(why)
    for (const call of this.#pending.values()) {
      if (!this.#remove(call)) continue
      this.#host.counters.lost += 1
      const text = `${nameOf(call.route)} at ${this.#link.remote}: ${why}`
      call.reject(new RpcError('RPC_CLOSED', text, { executed: 'maybe' }))
    }
  }

  get pending(): number {
    return this.#pending.size
  }

  #checkReady(route: Route, timeoutMs: number): void {
    if (this.#closed !== undefined) {
      throw new RpcError('RPC_CLOSED', `${nameOf(route)} at ${this.#link.remote}: ${this.#closed}`)
    }
    if (timeoutMs <= 0) {
      throw new RpcError('RPC_TIMEOUT', `${nameOf(route)}: the caller's own deadline has passed`)
    }
    if (this.#isOverloaded() || this.#pending.size >= this.#host.maxPending) {
      const text = `${nameOf(route)}: ${this.#link.remote} does not keep up, ${this.#pending.size} calls wait`
      throw new RpcError('RPC_OVERLOADED', text)
    }
  }

  #extrasOf(
    chain: Chain,
    priority: number,
    options: SentOptions | undefined,
  ): Uint8Array | undefined {
    return this.#carriesChains ? encodeExtras(chain, priority, options?.trace) : undefined
  }

  #isOverloaded(): boolean {
    return this.#congested && this.#link.bufferedBytes >= OVERLOAD_BYTES
  }

  /** Announces a route before its first use; -1 once the table is full. */
  #routeId(route: Route): number {
    const known = this.#routes.get(route.key)
    if (known !== undefined) return known
    const id = this.#routes.size
    if (id >= MAX_ROUTES || this.#routeBytes + route.bytes.length > MAX_ROUTE_BYTES) return -1
    this.#routes.set(route.key, id)
    this.#routeBytes += route.bytes.length
    this.#link.send(encodeRoute(id, route))
    return id
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    if (call === undefined) {
      this.#host.counters.lateReplies += 1
      return undefined
    }
    this.#remove(call)
    return call
  }

  /** Whether the call was still pending: who gets `true` settles it. */
  #remove(call: PendingCall): boolean {
    if (!this.#pending.delete(call)) return false
    this.#host.counters.pendingCalls -= 1
    this.#host.wheel.remove(call)
    call.untie()
    return true
  }
}

const frameOf = (options: SentOptions | undefined): CallFrame | undefined =>
  (options?.from === undefined ? frameHere() : options.from) ?? undefined

function asEncodeError(route: Route, error: unknown): RpcError {
  if (error instanceof TooLarge) {
    return new RpcError('RPC_TOO_LARGE', `${nameOf(route)}: the arguments: ${error.message}`)
  }
  const reason = error instanceof Error ? error.message : String(error)
  const text = `${nameOf(route)}: the arguments cannot be sent: ${reason}`
  return new RpcError('RPC_BAD_ARGUMENTS', text, { cause: error })
}
