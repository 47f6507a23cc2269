import { callHere } from '../call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from '../call-target.ts'
import type { ByteReader } from '../byte-reader.ts'
import { RpcError } from '../errors.ts'
import { RemoteStream } from '../remote-stream.ts'
import {
  decodeExecuted,
  FLAG,
  KIND,
  MAX_ERROR_TEXT_BYTES,
  MAX_NAME_BYTES,
  MAX_ROUTE_BYTES,
  MAX_ROUTES,
  nameOf,
  type Route,
} from '../wire.ts'
import type { ClientHost } from './client-host.ts'
import { bodyOf, u32Of, varintOf, type FrameOutput } from './frame-output.ts'

/** Calls are refused above this while the other end is slow, well before the link itself would close. */
const OVERLOAD_BYTES = 512 * 1024
const MAX_PENDING = 1_000_000
/** Calls that may wait for one link. */
const MAX_WAITING = 4096

interface PendingCall {
  readonly route: Route
  readonly signal: AbortSignal | undefined
  /** It has left; until then it waits for a link. */
  isSent: boolean
  send(): void
  resolve(value: unknown): void
  reject(error: unknown): void
  /** It waits no more. */
  release(): void
}

/** Calls and notifications made before there is a link. */
interface Waiting {
  send(): void
  fail(error: unknown): void
}

interface OpenStream {
  readonly stream: RemoteStream
  readonly route: Route
}

/**
 * The calling half of a client: numbers routes and calls, and ends each call exactly once. Links come and go below it; what
 * is called between two of them waits for the next.
 */
export class ClientCalls implements CallTarget {
  readonly #host: ClientHost
  readonly #name: string
  readonly #whenAway: (() => Error) | undefined
  readonly #pending = new Map<number, PendingCall>()
  readonly #waiting = new Set<Waiting>()
  /** Calls that were answered with a stream which has not ended. */
  readonly #streams = new Map<number, OpenStream>()
  readonly #routes = new Map<string, number>()
  #output: FrameOutput | undefined
  /** What waited has been sent: calls need not wait. */
  #isReady = false
  #routeBytes = 0
  #lastId = 0
  #isClosed = false

  /** @param whenAway - What calls fail with while there is no link; else they wait. */
  constructor(host: ClientHost, name: string, whenAway: (() => Error) | undefined) {
    this.#host = host
    this.#name = name
    this.#whenAway = whenAway
  }

  /** There is a link. */
  bind(output: FrameOutput): void {
    this.#output = output
    this.#routes.clear()
    this.#routeBytes = 0
    // After this turn: the next thing that is heard may be that the link is gone again.
    void Promise.resolve().then(() => {
      if (this.#output !== output) return
      this.#isReady = true
      // In the order they were made, before anything newer can be called.
      for (const waiting of this.#waiting) waiting.send()
    })
  }

  /** The link is gone: what was sent along it ends now. */
  unbind(why: string): void {
    this.#output = undefined
    this.#isReady = false
    const end = (route: Route, fail: (reason: Error) => void): void => {
      this.#host.counters.lost += 1
      fail(this.#error('RPC_CLOSED', route, why, 'maybe'))
    }
    for (const { stream, route } of this.#streams.values())
      end(route, (reason) => stream.end({ reason }))
    for (const call of this.#pending.values()) if (call.isSent) end(call.route, call.reject)
  }

  /** No link comes any more. */
  close(): void {
    this.#isClosed = true
    for (const waiting of this.#waiting)
      waiting.fail(new RpcError('RPC_CLOSED', `${this.#name}: the client is closed`))
  }

  call(
    route: Route,
    _entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const { clock, counters, defaultTimeoutMs } = this.#host
    const signal = options?.signal
    return new Promise((resolve, fail) => {
      signal?.throwIfAborted()
      const nowMs = clock.now()
      // A call made while handling a call ends with it.
      const leftMs = (callHere()?.deadline ?? Infinity) - nowMs
      const timeoutMs = Math.min(timeoutOf(options, defaultTimeoutMs), leftMs)
      if (timeoutMs <= 0)
        throw this.#error('RPC_TIMEOUT', route, 'the deadline of the call has passed')
      this.#checkReady(route)
      let id = this.#lastId
      do id = (id % 0xffffffff) + 1
      while (this.#pending.has(id) || this.#streams.has(id))
      this.#lastId = id

      const reject = (error: unknown): void => {
        call.release()
        fail(error as Error)
      }
      const cancelTimer = clock.setTimer(timeoutMs, () => {
        counters.timeouts += 1
        const executed = call.isSent ? 'maybe' : 'no'
        reject(this.#error('RPC_TIMEOUT', route, 'there was no answer in time', executed))
      })
      const abort = (): void => {
        if (call.isSent) this.#cancel(id)
        reject(signal?.reason)
      }
      const call: PendingCall & Waiting = {
        route,
        signal,
        isSent: false,
        resolve,
        reject,
        fail: reject,
        send: () => {
          this.#waiting.delete(call)
          const untilMs = Math.max(1, Math.ceil(timeoutMs + nowMs - clock.now()))
          try {
            this.#checkLoad(route)
            this.#sendArgs(KIND.call, [u32Of(id), varintOf(untilMs)], route, args, false)
            call.isSent = true
            counters.pendingCalls += 1
            counters.callsSent += 1
          } catch (error) {
            reject(error)
          }
        },
        release: () => {
          this.#pending.delete(id)
          this.#waiting.delete(call)
          if (call.isSent) counters.pendingCalls -= 1
          cancelTimer()
          signal?.removeEventListener('abort', abort)
        },
      }
      signal?.addEventListener('abort', abort)
      this.#pending.set(id, call)
      if (this.#isReady) call.send()
      else this.#waiting.add(call)
    })
  }

  notify(
    route: Route,
    _entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const { clock, counters, defaultTimeoutMs } = this.#host
    const drop = (): void => void (counters.droppedNotifies += 1)
    try {
      this.#checkReady(route)
    } catch {
      drop()
      return false
    }
    const send = (): boolean => {
      const isSent = this.#sendArgs(KIND.notify, [], route, args, unreliable)
      counters.notifiesSent += 1
      return isSent
    }
    if (this.#isReady) return send()
    const release = (): void => {
      this.#waiting.delete(waiting)
      cancelTimer()
    }
    const fail = (): void => {
      release()
      drop()
    }
    const waiting: Waiting = {
      fail,
      send: () => {
        release()
        try {
          send()
        } catch {
          drop()
        }
      },
    }
    const cancelTimer = clock.setTimer(defaultTimeoutMs, fail)
    this.#waiting.add(waiting)
    return true
  }

  /** Takes a frame that answers a call. @returns Whether it was well-formed. */
  onFrame(kind: number, flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    if (kind === KIND.error || kind === KIND.end) return this.#onEnd(kind, id, flags, reader)
    if (reader.bad) return false
    if (kind === KIND.item) return this.#onItem(id, reader)
    const call = this.#take(id)
    if (kind === KIND.stream) {
      if (call === undefined) this.#cancel(id)
      else this.#open(id, call)
      return reader.isDone
    }
    if (call === undefined) return true
    try {
      call.resolve((flags & FLAG.void) === 0 ? bodyOf(reader) : undefined)
    } catch (cause) {
      call.reject(this.#unreadable(call.route, cause))
    }
    return true
  }

  #onEnd(kind: number, id: number, flags: number, reader: ByteReader): boolean {
    const isError = kind === KIND.error
    const executed = isError ? decodeExecuted(reader.u8()) : 'yes'
    let error: RpcError | undefined
    if (isError || (flags & FLAG.failed) !== 0) {
      const code = reader.string(MAX_NAME_BYTES)
      const message = reader.string(MAX_ERROR_TEXT_BYTES)
      let data: unknown
      try {
        if ((flags & FLAG.data) !== 0 && !reader.bad) data = bodyOf(reader)
      } catch {
        // The error itself is worth more than its data.
      }
      error = new RpcError(code, message, { executed, data })
    }
    if (reader.bad) return false
    if (isError) this.#take(id)?.reject(error)
    else this.#streams.get(id)?.stream.end(error && { reason: error })
    return true
  }

  #onItem(id: number, reader: ByteReader): boolean {
    const open = this.#streams.get(id)
    // It crossed the cancel.
    if (open === undefined) return true
    const bytes = reader.end - reader.at
    let item: unknown
    try {
      item = bodyOf(reader)
    } catch (cause) {
      this.#cancel(id)
      open.stream.end({ reason: this.#unreadable(open.route, cause) })
      return true
    }
    return open.stream.push(item, bytes)
  }

  #open(id: number, { route, signal, resolve }: PendingCall): void {
    const cancel = (): void => this.#cancel(id)
    const stop = (): void => {
      cancel()
      stream.end({ reason: signal?.reason })
    }
    const stream = new RemoteStream({
      grant: (items, bytes) =>
        this.#output?.send(KIND.credit, u32Of(id), varintOf(items), varintOf(bytes)),
      cancel,
      closed: () => {
        this.#streams.delete(id)
        signal?.removeEventListener('abort', stop)
      },
    })
    this.#streams.set(id, { stream, route })
    signal?.addEventListener('abort', stop)
    resolve(stream)
  }

  #cancel(id: number): void {
    this.#output?.send(KIND.cancel, u32Of(id))
  }

  #sendArgs(
    kind: number,
    fields: readonly Uint8Array[],
    route: Route,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const output = this.#output!
    const isState = unreliable && output.hasUnreliable
    // On the state lane a number could arrive before the frame that gives it.
    const number = isState ? -1 : this.#numberOf(output, route)
    const target = number < 0 ? route.bytes : varintOf(number)
    try {
      return output.sendBody(
        args,
        isState,
        number < 0 ? kind | FLAG.inline : kind,
        ...fields,
        target,
      )
    } catch (cause) {
      const code = cause instanceof RpcError ? cause.code : 'RPC_BAD_ARGUMENTS'
      const reason = (cause as Error).message
      const text = `${nameOf(route)}: the arguments cannot be sent: ${reason}`
      throw new RpcError(code, text, { cause })
    }
  }

  /** @throws what a call fails with that can neither leave nor wait. */
  #checkReady(route: Route): void {
    const output = this.#output
    if (this.#isClosed) throw this.#error('RPC_CLOSED', route, 'the client is closed')
    if (output === undefined && this.#whenAway !== undefined) throw this.#whenAway()
    this.#checkLoad(route)
  }

  #checkLoad(route: Route): void {
    const { isCongested = false, bufferedBytes = 0 } = this.#output ?? {}
    if (
      (isCongested && bufferedBytes >= OVERLOAD_BYTES) ||
      this.#waiting.size >= MAX_WAITING ||
      this.#pending.size > MAX_PENDING
    )
      throw this.#error('RPC_OVERLOADED', route, 'too many calls wait')
  }

  /** Of a route, announced before its first use; -1 once the table is full. */
  #numberOf(output: FrameOutput, route: Route): number {
    const known = this.#routes.get(route.key)
    if (known !== undefined) return known
    const number = this.#routes.size
    this.#routeBytes += route.bytes.length
    if (number >= MAX_ROUTES || this.#routeBytes > MAX_ROUTE_BYTES) return -1
    this.#routes.set(route.key, number)
    output.send(KIND.route, varintOf(number), route.bytes)
    return number
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    if (call?.isSent !== true) {
      this.#host.counters.lateReplies += 1
      return undefined
    }
    call.release()
    return call
  }

  #unreadable(route: Route, cause: unknown): RpcError {
    const text = `${nameOf(route)}: the answer cannot be read`
    return new RpcError('RPC_BAD_REPLY', text, { executed: 'yes', cause })
  }

  #error(code: string, route: Route, why: string, executed: 'no' | 'maybe' = 'no'): RpcError {
    return new RpcError(code, `${nameOf(route)} at ${this.#name}: ${why}`, { executed })
  }
}
