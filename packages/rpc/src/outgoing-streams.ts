import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import type { ExposedMethod } from './exposure.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { Link } from './link.ts'
import type { Passing } from './passing.ts'
import type { PeerHost } from './peer-host.ts'
import type { CallerKind } from './remote-types.ts'
import { StreamSource } from './stream-source.ts'
import { encodeFailedEnd, encodeItem } from './body-frames.ts'
import { encodeIdFrame, KIND } from './wire.ts'

/** A call that was answered with a stream. */
interface OpenStream {
  readonly call: IncomingCall
  readonly source: StreamSource
}

/** The streams that answer the calls of one peer. */
export class OutgoingStreams {
  readonly #host: PeerHost
  readonly #link: Link
  readonly #caller: CallerKind
  readonly #maxMessageBytes: number
  readonly #passing: Passing | undefined
  readonly #streams = new Map<number, OpenStream>()
  #isCongested = false
  #isClosed = false

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
  }

  get size(): number {
    return this.#streams.size
  }

  /** Whether the answer of the call is a stream that has not ended. */
  isOpen(call: IncomingCall): boolean {
    return this.#streams.get(call.id)?.call === call
  }

  grant(id: number, items: number, bytes: number): void {
    this.#streams.get(id)?.source.grant(items, bytes)
  }

  /** Nobody reads it any more. Does nothing when there is no such stream. */
  stop(id: number, reason: Error): void {
    const open = this.#streams.get(id)
    if (open !== undefined) this.#stopStream(open, reason)
  }

  onDrain(): void {
    this.#isCongested = false
    for (const { source } of this.#streams.values()) source.resume()
  }

  /** The link is gone. */
  close(reason: Error): void {
    this.#isClosed = true
    for (const open of this.#streams.values()) this.#stopStream(open, reason)
  }

  /** Answers a call with a stream. */
  open(call: IncomingCall, method: ExposedMethod, result: AsyncIterable<unknown>): void {
    const { id } = call
    const source = new StreamSource(result, {
      isReady: () => !this.#isCongested && !this.#isClosed,
      item: (value) => {
        const frame = this.#itemFrame(id, value)
        this.#transmit(frame)
        return frame.length - 5
      },
      end: (error) => {
        this.#endStream(call)
        if (error === undefined) this.#transmit(encodeIdFrame(KIND.end, id))
        else this.#failStream(id, method, error.reason)
      },
      first: (step) => {
        const before = enterCall(call)
        try {
          return callStorage === undefined ? step() : callStorage.run(undefined, step)
        } finally {
          enterCall(before)
        }
      },
    })
    const before = this.#streams.get(id)
    if (before !== undefined) {
      this.#stopStream(before, new RpcError('RPC_CLOSED', 'the caller used its number again'))
    }
    this.#streams.set(id, { call, source })
    this.#host.counters.openStreams += 1
    this.#transmit(encodeIdFrame(KIND.stream, id))
  }

  #endStream(call: IncomingCall): void {
    if (this.#streams.get(call.id)?.call !== call) return
    this.#streams.delete(call.id)
    call.dropStreams()
    this.#host.counters.openStreams -= 1
  }

  #stopStream({ call, source }: OpenStream, reason: Error): void {
    this.#endStream(call)
    call.end(reason)
    source.stop()
  }

  #failStream(id: number, method: ExposedMethod, error: unknown): void {
    const { code, message, data } = errorReply(error, this.#caller)
    if (code === 'RPC_INTERNAL') {
      this.#host.logger.warn('rpc stream failed', { method: method.name, error })
    }
    let frame: Uint8Array
    try {
      frame = this.#sized(encodeFailedEnd(id, code, message, data))
    } catch {
      frame = encodeFailedEnd(id, code, message, undefined)
    }
    this.#transmit(frame)
  }

  #itemFrame(id: number, value: unknown): Uint8Array {
    let frame: Uint8Array
    try {
      const encode = (): Uint8Array => encodeItem(id, value)
      frame = this.#passing === undefined ? encode() : this.#passing.encode(encode)
    } catch (cause) {
      const text = `an item cannot be sent: ${(cause as Error).message}`
      throw new RpcError('RPC_BAD_REPLY', text, { cause })
    }
    return this.#sized(frame)
  }

  #sized(frame: Uint8Array): Uint8Array {
    if (frame.length <= this.#maxMessageBytes) return frame
    const text = `an item of ${frame.length} bytes, ${this.#maxMessageBytes} are accepted`
    throw new RpcError('RPC_TOO_LARGE', text)
  }

  #transmit(frame: Uint8Array): void {
    if (!this.#isClosed && !this.#link.send(frame)) this.#isCongested = true
  }
}
