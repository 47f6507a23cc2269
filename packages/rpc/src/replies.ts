import { FunctionFound } from './codec.ts'
import { errorReply } from './error-reply.ts'
import type { Executed, RpcError } from './errors.ts'
import { FrameSender, TooLarge } from './frame-sender.ts'
import type { Link } from './link.ts'
import type { Passing } from './passing.ts'
import type { PeerHost } from './peer-host.ts'
import type { CallerKind } from './remote-types.ts'
import { encodeError } from './body-frames.ts'
import { NOTIFY_ID } from './wire.ts'

/** What the calls of one peer are answered with. */
export class Replies {
  readonly #host: PeerHost
  readonly #link: Link
  readonly #caller: CallerKind
  readonly #maxMessageBytes: number
  readonly #sender: FrameSender
  readonly #passing: Passing | undefined
  isClosed = false

  constructor(
    host: PeerHost,
    link: Link,
    caller: CallerKind,
    maxMessageBytes: number,
    passing: Passing | undefined,
  ) {
    this.#passing = passing
    this.#host = host
    this.#link = link
    this.#caller = caller
    this.#maxMessageBytes = maxMessageBytes
    this.#sender = new FrameSender(link, maxMessageBytes)
  }

  /** @param method - Names it in the log. */
  answer(id: number, method: string, result: unknown): void {
    if (id === NOTIFY_ID || this.isClosed) return
    try {
      this.#send(id, result)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#host.logger.warn('rpc result cannot be sent', { method, reason })
      const code = error instanceof TooLarge ? 'RPC_TOO_LARGE' : 'RPC_BAD_REPLY'
      this.#sendError(id, 'yes', code, `the result cannot be sent: ${reason}`, undefined)
    }
  }

  /** The handler has thrown. @param executed - Otherwise: what stands before it. */
  fail(id: number, method: string, error: unknown, executed: Executed): void {
    const reply = errorReply(error, this.#caller)
    if (id === NOTIFY_ID || reply.code === 'RPC_INTERNAL') {
      this.#host.logger.warn('rpc handler failed', { method, error })
    }
    if (id !== NOTIFY_ID && !this.isClosed) {
      this.#sendError(id, executed, reply.code, reply.message, reply.data)
    }
  }

  /** No handler ran. */
  refuse(id: number, error: RpcError): void {
    if (id === NOTIFY_ID) {
      this.#host.counters.droppedNotifies += 1
      this.#host.logger.debug('rpc notification refused', { reason: error.message })
      return
    }
    this.#sendError(id, 'no', error.code, error.message, error.data)
  }

  #send(id: number, result: unknown): void {
    try {
      this.#sender.reply(id, result)
    } catch (error) {
      if (this.#passing === undefined || !(error instanceof FunctionFound)) throw error
      this.#passing.encode(() => this.#sender.reply(id, result))
    }
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
