import type { ByteReader } from '../byte-reader.ts'
import { encodeString } from '../byte-writer.ts'
import { enterCall } from '../call-context.ts'
import { errorForServer } from '../error-reply.ts'
import { RpcError, type Executed } from '../errors.ts'
import { CALLER_BIT, holderOf, type ExposedMethod } from '../exposure.ts'
import type { RpcPeer } from '../peer.ts'
import { isStream, StreamSource } from '../stream-source.ts'
import {
  EXECUTED,
  FLAG,
  KIND,
  MAX_NAME_BYTES,
  MAX_ROUTE_BYTES,
  MAX_ROUTES,
  NOTIFY_ID,
} from '../wire.ts'
import { ClientCall } from './client-call.ts'
import type { ClientExposed, ClientHost } from './client-host.ts'
import { bodyOf, u32Of, type FrameOutput } from './frame-output.ts'

/** A call that waited begins this long before its deadline at the latest, so that who made it hears that it did not. */
const MAX_NOTICE_MS = 100
const NOTICE_SHARE = 0.1

interface OpenStream {
  readonly call: ClientCall
  readonly source: StreamSource
}

type Refused =
  | 'refusedUnknown'
  | 'refusedForbidden'
  | 'refusedMalformed'
  | 'refusedOverloaded'
  | 'timeouts'

type Route = readonly [service: string, method: string]

/** The serving half of a client's peer: finds what the server calls, runs it, answers. */
export class ClientHandlers {
  readonly #peer: RpcPeer
  readonly #host: ClientHost
  readonly #output: FrameOutput
  /** Services of this link alone. */
  readonly services: Map<string, ClientExposed> = new Map()
  readonly #routes: Route[] = []
  readonly #running = new Set<ClientCall>()
  readonly #streams = new Map<number, OpenStream>()
  #routeBytes = 0
  #isClosed = false

  constructor(peer: RpcPeer, host: ClientHost, output: FrameOutput) {
    this.#peer = peer
    this.#host = host
    this.#output = output
  }

  /** @returns Whether the announcement was in order. */
  onRoute(reader: ByteReader): boolean {
    this.#routeBytes += reader.end - reader.at
    const number = reader.varint()
    this.#routes.push(readRoute(reader))
    return (
      reader.isDone &&
      number === this.#routes.length - 1 &&
      number < MAX_ROUTES &&
      this.#routeBytes <= 2 * MAX_ROUTE_BYTES
    )
  }

  /** Takes a call or a notification. @returns Whether it was well-formed; arguments that are not are answered. */
  onCall(kind: number, flags: number, reader: ByteReader): boolean {
    const { clock, counters } = this.#host
    const isCall = kind === KIND.call
    const id = isCall ? reader.u32() : NOTIFY_ID
    const timeoutMs = isCall ? reader.varint() : 0
    if (isCall) counters.callsReceived += 1
    else counters.notifiesReceived += 1
    const route = flags & FLAG.inline ? readRoute(reader) : this.#routes[reader.varint()]
    const entityId = flags & FLAG.entity ? reader.string(MAX_NAME_BYTES) : undefined
    if (flags & FLAG.extras) reader.raw(reader.varint())
    if (reader.bad || route === undefined || (isCall && id === NOTIFY_ID)) return false
    const [service, name] = route
    const refuse = (counter: Refused, code: string, why: string): true => {
      counters[counter] += 1
      return this.#refuse(id, code, `${service || 'entity'}.${name}: ${why}`)
    }
    const unknown = (what: string): true =>
      refuse('refusedUnknown', `RPC_UNKNOWN_${what.toUpperCase()}`, `there is no such ${what} here`)

    if (entityId !== undefined) return unknown('entity')
    const exposed = this.services.get(service) ?? this.#host.services.get(service)
    if (exposed === undefined) return unknown('service')
    const method = exposed.methods.get(name)
    if (method === undefined) return unknown('method')
    if ((method.callers & CALLER_BIT.server) === 0)
      return refuse('refusedForbidden', 'RPC_FORBIDDEN', 'not open to a server')
    let args: unknown
    try {
      args = bodyOf(reader)
    } catch (error) {
      return refuse('refusedMalformed', 'RPC_BAD_ARGUMENTS', (error as Error).message)
    }
    if (!Array.isArray(args)) return false

    const deadline = timeoutMs === 0 ? undefined : clock.now() + timeoutMs
    const call = new ClientCall(this.#peer, clock, id, deadline)
    const { queue } = exposed
    const run = (): void => {
      const holder = holderOf(exposed.target, method)
      if (holder !== undefined) this.#run(call, method, holder, args as unknown[], queue)
      else {
        unknown('method')
        this.#uncount(call)
        queue?.leave()
      }
    }
    const entered = queue?.enter(call)
    if (entered === 'full')
      return refuse('refusedOverloaded', 'RPC_OVERLOADED', 'too many calls wait')
    if (entered !== 'wait') {
      run()
      return true
    }
    this.#count(call)
    counters.waitingCalls += 1
    const over = (): void => {
      call.withdraw = undefined
      call.stopTimer()
      counters.waitingCalls -= 1
    }
    call.run = () => {
      over()
      run()
    }
    call.withdraw = () => {
      over()
      queue?.withdraw(call)
      this.#uncount(call)
    }
    if (deadline !== undefined) {
      call.expireAt(deadline - Math.min(MAX_NOTICE_MS, timeoutMs * NOTICE_SHARE), () => {
        call.withdraw?.()
        refuse('timeouts', 'RPC_TIMEOUT', 'its turn did not come in time')
      })
    }
    return true
  }

  onCancel(id: number): void {
    const reason = new RpcError('RPC_CLOSED', 'the caller cancelled the call')
    this.#stopStream(this.#streams.get(id), reason)
    for (const call of this.#running) if (call.id === id && id !== NOTIFY_ID) stop(call, reason)
  }

  /** @returns Whether the frame was well-formed. */
  onCredit(reader: ByteReader): boolean {
    const id = reader.u32()
    const items = reader.varint()
    const bytes = reader.varint()
    if (reader.isDone) this.#streams.get(id)?.source.grant(items, bytes)
    return reader.isDone
  }

  onDrain(): void {
    for (const { source } of this.#streams.values()) source.resume()
  }

  /** The link is gone: handlers are told, their answers are dropped. */
  close(why: string): void {
    this.#isClosed = true
    const reason = new RpcError('RPC_CLOSED', `the caller is gone: ${why}`)
    for (const call of this.#running) stop(call, reason)
    for (const open of this.#streams.values()) this.#stopStream(open, reason)
  }

  #run(
    call: ClientCall,
    method: ExposedMethod,
    holder: Record<string, unknown>,
    args: unknown[],
    queue: ClientExposed['queue'],
  ): void {
    const over = (answer: () => void): void => {
      call.finish()
      answer()
      this.#uncount(call)
      queue?.leave()
    }
    const fail = (error: unknown): void => over(() => this.#fail(call, method, error))
    const succeed = (result: unknown): void => over(() => this.#answer(call, method, result))
    const before = enterCall(call)
    let answer: () => void
    try {
      const result = (holder[method.name] as (...args: unknown[]) => unknown).apply(holder, args)
      const isPromise =
        typeof (result as { then?: unknown } | null | undefined)?.then === 'function'
      answer = () => {
        if (!isPromise) {
          succeed(result)
          return
        }
        this.#count(call)
        Promise.resolve(result).then(succeed, fail)
      }
    } catch (error) {
      answer = () => fail(error)
    }
    enterCall(before)
    answer()
  }

  /** From here on it is an unfinished call. */
  #count(call: ClientCall): void {
    if (this.#running.has(call)) return
    this.#running.add(call)
    this.#host.counters.runningCalls += 1
  }

  #uncount(call: ClientCall): void {
    if (this.#running.delete(call)) this.#host.counters.runningCalls -= 1
  }

  #answer(call: ClientCall, method: ExposedMethod, result: unknown): void {
    const { id } = call
    if (id === NOTIFY_ID || this.#isClosed) return
    if (isStream(result)) {
      this.#open(call, method, result)
      return
    }
    try {
      if (result === undefined) this.#output.send(KIND.reply | FLAG.void, u32Of(id))
      else this.#output.sendBody(result, false, KIND.reply, u32Of(id))
    } catch (error) {
      const reason = `the result cannot be sent: ${(error as Error).message}`
      this.#host.logger.warn('rpc result cannot be sent', { method: method.name, reason })
      this.#sendError(KIND.error, id, 'yes', codeOf(error), reason, undefined)
    }
  }

  #fail(call: ClientCall, method: ExposedMethod, error: unknown): void {
    const { code, message, data } = errorForServer(error)
    const isNotify = call.id === NOTIFY_ID
    if (isNotify || code === 'RPC_INTERNAL')
      this.#host.logger.warn('rpc handler failed', { method: method.name, error })
    if (!isNotify && !this.#isClosed)
      this.#sendError(KIND.error, call.id, 'yes', code, message, data)
  }

  #refuse(id: number, code: string, message: string): true {
    if (id !== NOTIFY_ID) this.#sendError(KIND.error, id, 'no', code, message, undefined)
    else {
      this.#host.counters.droppedNotifies += 1
      this.#host.logger.debug('rpc notification refused', { reason: message })
    }
    return true
  }

  /** Ends a call, or a stream, with an error. */
  #sendError(
    kind: number,
    id: number,
    executed: Executed,
    code: string,
    message: string,
    data: unknown,
  ): void {
    const isError = kind === KIND.error
    const first = isError ? kind : kind | FLAG.failed
    const fields = [
      u32Of(id),
      ...(isError ? [Uint8Array.of(EXECUTED.indexOf(executed))] : []),
      encodeString(code),
      encodeString(message),
    ]
    try {
      if (data !== undefined) {
        this.#output.sendBody(data, false, first | FLAG.data, ...fields)
        return
      }
    } catch {
      // The error itself is worth more than its data.
    }
    this.#output.send(first, ...fields)
  }

  #open(call: ClientCall, { name }: ExposedMethod, result: AsyncIterable<unknown>): void {
    const { id } = call
    const source = new StreamSource(result, {
      isReady: () => !this.#output.isCongested && !this.#isClosed,
      item: (value) => {
        try {
          this.#output.sendBody(value, false, KIND.item, u32Of(id))
          return this.#output.bodyBytes
        } catch (cause) {
          const text = `an item cannot be sent: ${(cause as Error).message}`
          throw new RpcError(codeOf(cause), text, { cause })
        }
      },
      end: (failure) => {
        this.#endStream(call)
        if (this.#isClosed) return
        if (failure === undefined) {
          this.#output.send(KIND.end, u32Of(id))
          return
        }
        const { code, message, data } = errorForServer(failure.reason)
        if (code === 'RPC_INTERNAL')
          this.#host.logger.warn('rpc stream failed', { method: name, error: failure.reason })
        this.#sendError(KIND.end, id, 'yes', code, message, data)
      },
      first: (step) => {
        const before = enterCall(call)
        try {
          return step()
        } finally {
          enterCall(before)
        }
      },
    })
    const reason = new RpcError('RPC_CLOSED', 'the caller used its number again')
    this.#stopStream(this.#streams.get(id), reason)
    this.#streams.set(id, { call, source })
    this.#host.counters.openStreams += 1
    this.#output.send(KIND.stream, u32Of(id))
  }

  #endStream(call: ClientCall): void {
    if (this.#streams.get(call.id)?.call !== call) return
    this.#streams.delete(call.id)
    this.#host.counters.openStreams -= 1
  }

  #stopStream(open: OpenStream | undefined, reason: Error): void {
    if (open === undefined) return
    this.#endStream(open.call)
    open.call.end(reason)
    open.source.stop()
  }
}

function stop(call: ClientCall, reason: Error): void {
  if (call.withdraw !== undefined) call.withdraw()
  else call.end(reason)
}

const codeOf = (error: unknown): string =>
  error instanceof RpcError ? error.code : 'RPC_BAD_REPLY'

const readRoute = (reader: ByteReader): Route => [
  reader.string(MAX_NAME_BYTES),
  reader.string(MAX_NAME_BYTES),
]
