import { callHere } from '../call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from '../call-target.ts'
import type { ByteReader } from '../byte-reader.ts'
import { RpcError } from '../errors.ts'
import { RemoteStream } from '../remote-stream.ts'
import {
  decodeExecuted,
  FLAG,
  KIND,
  MAX_NAME_BYTES,
  MAX_ROUTE_BYTES,
  MAX_ROUTES,
  type Route,
} from '../wire.ts'
import type { ClientHost } from './client-host.ts'
import { bodyOf, u32Of, varintOf, type FrameOutput } from './frame-output.ts'

/** Calls are refused above this while the other end is slow, well before the link itself would close. */
const OVERLOAD_BYTES = 512 * 1024
const MAX_PENDING = 1_000_000
const MAX_ERROR_TEXT_BYTES = 64 * 1024

interface PendingCall {
  readonly route: Route
  readonly signal: AbortSignal | undefined
  resolve(value: unknown): void
  reject(error: unknown): void
  /** It waits no more. */
  release(): void
}

interface OpenStream {
  readonly stream: RemoteStream
  readonly route: Route
}

export const nameOf = ({ service, method }: Route): string => `${service || 'entity'}.${method}`

/** The calling half of a client's peer: numbers routes and calls, and ends each call exactly once. */
export class ClientCalls implements CallTarget {
  readonly #host: ClientHost
  readonly #output: FrameOutput
  readonly #pending = new Map<number, PendingCall>()
  /** Calls that were answered with a stream which has not ended. */
  readonly #streams = new Map<number, OpenStream>()
  readonly #routes = new Map<string, number>()
  #routeBytes = 0
  #lastId = 0
  #closed: string | undefined

  constructor(host: ClientHost, output: FrameOutput) {
    this.#host = host
    this.#output = output
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const { clock, counters, defaultTimeoutMs } = this.#host
    const signal = options?.signal
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      // A call made while handling a call ends with it.
      const leftMs = (callHere()?.deadline ?? Infinity) - clock.now()
      const timeoutMs = Math.min(timeoutOf(options, defaultTimeoutMs), leftMs)
      this.#checkReady(route, timeoutMs)
      let id = this.#lastId
      do id = (id % 0xffffffff) + 1
      while (this.#pending.has(id) || this.#streams.has(id))
      this.#lastId = id
      const fields = [u32Of(id), varintOf(Math.ceil(timeoutMs))]
      this.#sendArgs(KIND.call, fields, this.#numberOf(route), route, entity, args, false)

      const cancelTimer = clock.setTimer(timeoutMs, () => {
        call.release()
        counters.timeouts += 1
        reject(this.#error('RPC_TIMEOUT', route, 'gave no answer in time', 'maybe'))
      })
      const abort = (): void => {
        call.release()
        this.#output.send(KIND.cancel, u32Of(id))
        reject(signal!.reason as Error)
      }
      const call: PendingCall = {
        route,
        signal,
        resolve,
        reject,
        release: () => {
          this.#pending.delete(id)
          counters.pendingCalls -= 1
          cancelTimer()
          signal?.removeEventListener('abort', abort)
        },
      }
      signal?.addEventListener('abort', abort)
      this.#pending.set(id, call)
      counters.pendingCalls += 1
      counters.callsSent += 1
    })
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const { counters } = this.#host
    if (this.#closed !== undefined || this.#isOverloaded) {
      counters.droppedNotifies += 1
      return false
    }
    const isState = unreliable && this.#output.hasUnreliable
    // On the state lane a number could arrive before the frame that gives it.
    const number = isState ? -1 : this.#numberOf(route)
    const isSent = this.#sendArgs(KIND.notify, [], number, route, entity, args, isState)
    counters.notifiesSent += 1
    return isSent
  }

  /** Takes a frame that answers a call. @returns Whether it was well-formed. */
  onFrame(kind: number, flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    if (kind === KIND.error || kind === KIND.end) return this.#onEnd(kind, id, flags, reader)
    if (reader.bad) return false
    if (kind === KIND.item) return this.#onItem(id, reader)
    const call = this.#take(id)
    if (kind === KIND.stream) {
      if (call === undefined) this.#output.send(KIND.cancel, u32Of(id))
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

  /** The link is gone: every call ends now. */
  close(why: string): void {
    this.#closed ??= why
    const end = (route: Route, fail: (reason: Error) => void): void => {
      this.#host.counters.lost += 1
      fail(this.#error('RPC_CLOSED', route, why, 'maybe'))
    }
    for (const { stream, route } of this.#streams.values())
      end(route, (reason) => stream.end({ reason }))
    for (const call of this.#pending.values()) {
      call.release()
      end(call.route, (reason) => call.reject(reason))
    }
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
      this.#output.send(KIND.cancel, u32Of(id))
      open.stream.end({ reason: this.#unreadable(open.route, cause) })
      return true
    }
    return open.stream.push(item, bytes)
  }

  #open(id: number, { route, signal, resolve }: PendingCall): void {
    const cancel = (): void => this.#output.send(KIND.cancel, u32Of(id))
    const stop = (): void => {
      cancel()
      stream.end({ reason: signal?.reason })
    }
    const stream = new RemoteStream({
      grant: (items, bytes) =>
        this.#output.send(KIND.credit, u32Of(id), varintOf(items), varintOf(bytes)),
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

  #sendArgs(
    kind: number,
    fields: readonly Uint8Array[],
    number: number,
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const flags = (number < 0 ? FLAG.inline : 0) | (entity === undefined ? 0 : FLAG.entity)
    const target = number < 0 ? route.bytes : varintOf(number)
    const all = entity === undefined ? [...fields, target] : [...fields, target, entity]
    try {
      return this.#output.sendBody(args, unreliable, kind | flags, ...all)
    } catch (cause) {
      const code = cause instanceof RpcError ? cause.code : 'RPC_BAD_ARGUMENTS'
      const reason = (cause as Error).message
      const text = `${nameOf(route)}: the arguments cannot be sent: ${reason}`
      throw new RpcError(code, text, { cause })
    }
  }

  get #isOverloaded(): boolean {
    return this.#output.isCongested && this.#output.bufferedBytes >= OVERLOAD_BYTES
  }

  #checkReady(route: Route, timeoutMs: number): void {
    if (this.#closed !== undefined) throw this.#error('RPC_CLOSED', route, this.#closed)
    if (timeoutMs <= 0)
      throw this.#error('RPC_TIMEOUT', route, "the caller's own deadline has passed")
    if (this.#isOverloaded || this.#pending.size >= MAX_PENDING)
      throw this.#error('RPC_OVERLOADED', route, `${this.#pending.size} calls wait`)
  }

  /** Of a route, announced before its first use; -1 once the table is full. */
  #numberOf(route: Route): number {
    const known = this.#routes.get(route.key)
    if (known !== undefined) return known
    const number = this.#routes.size
    this.#routeBytes += route.bytes.length
    if (number >= MAX_ROUTES || this.#routeBytes > MAX_ROUTE_BYTES) return -1
    this.#routes.set(route.key, number)
    this.#output.send(KIND.route, varintOf(number), route.bytes)
    return number
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    if (call === undefined) this.#host.counters.lateReplies += 1
    call?.release()
    return call
  }

  #unreadable(route: Route, cause: unknown): RpcError {
    const text = `${nameOf(route)}: the answer cannot be read`
    return new RpcError('RPC_BAD_REPLY', text, { executed: 'yes', cause })
  }

  #error(code: string, route: Route, why: string, executed: 'no' | 'maybe' = 'no'): RpcError {
    return new RpcError(code, `${nameOf(route)} at ${this.#output.remote}: ${why}`, { executed })
  }
}
