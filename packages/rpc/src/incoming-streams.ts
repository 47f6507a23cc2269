import type { ByteReader } from './byte-reader.ts'
import type { BodyDecoder } from './codec.ts'
import type { Counters } from './counters.ts'
import { RpcError } from './errors.ts'
import type { Link } from './link.ts'
import type { PendingCall } from './pending-call.ts'
import { RemoteStream } from './remote-stream.ts'
import {
  encodeCredit,
  encodeIdFrame,
  FLAG,
  KIND,
  MAX_ERROR_TEXT_BYTES,
  MAX_NAME_BYTES,
  nameOf,
  type Route,
} from './wire.ts'

interface OpenStream {
  readonly stream: RemoteStream
  readonly route: Route
}

/** The streams that calls of one peer were answered with, and that have not ended. */
export class IncomingStreams {
  readonly #link: Link
  readonly #decoder: BodyDecoder
  readonly #counters: Counters
  readonly #open = new Map<number, OpenStream>()

  constructor(link: Link, decoder: BodyDecoder, counters: Counters) {
    this.#link = link
    this.#decoder = decoder
    this.#counters = counters
  }

  get size(): number {
    return this.#open.size
  }

  has(id: number): boolean {
    return this.#open.has(id)
  }

  /** Nobody waits for it. */
  refuse(id: number): void {
    this.#cancel(id)
  }

  /** The answer of a call is a stream. */
  open(call: PendingCall): void {
    const { id, route, signal } = call
    const stop = (): void => {
      this.#cancel(id)
      stream.end({ reason: signal?.reason })
    }
    const stream = new RemoteStream({
      grant: (items, bytes) => void this.#link.send(encodeCredit(id, items, bytes)),
      cancel: () => this.#cancel(id),
      closed: () => {
        this.#open.delete(id)
        signal?.removeEventListener('abort', stop)
      },
    })
    this.#open.set(id, { stream, route })
    signal?.addEventListener('abort', stop)
    call.resolve(stream)
  }

  /** @returns Whether the frame was well-formed, and its item asked for. */
  onItem(reader: ByteReader): boolean {
    const id = reader.u32()
    if (reader.bad) return false
    const open = this.#open.get(id)
    // It crossed the cancel.
    if (open === undefined) return true
    const { stream, route } = open
    let value: unknown
    try {
      value = this.#decoder.decode(reader.bytes, reader.at, reader.end)
    } catch (cause) {
      this.#cancel(id)
      const text = `an item of ${nameOf(route)} cannot be read`
      stream.end({ reason: new RpcError('RPC_BAD_REPLY', text, { executed: 'yes', cause }) })
      return true
    }
    return stream.push(value, reader.end - reader.at)
  }

  /** @returns Whether the frame was well-formed. */
  onEnd(flags: number, reader: ByteReader): boolean {
    const id = reader.u32()
    const hasFailed = (flags & FLAG.failed) !== 0
    const code = hasFailed ? reader.string(MAX_NAME_BYTES) : ''
    const message = hasFailed ? reader.string(MAX_ERROR_TEXT_BYTES) : ''
    if (reader.bad) return false
    const stream = this.#open.get(id)?.stream
    if (stream === undefined) return true
    if (!hasFailed) stream.end()
    else {
      const data = dataOf(this.#decoder, flags, reader)
      stream.end({ reason: new RpcError(code, message, { executed: 'yes', data }) })
    }
    return true
  }

  /** The link is gone. */
  close(why: string): void {
    for (const { stream, route } of this.#open.values()) {
      this.#counters.lost += 1
      const text = `the stream of ${nameOf(route)} at ${this.#link.remote}: ${why}`
      stream.end({ reason: new RpcError('RPC_CLOSED', text, { executed: 'maybe' }) })
    }
  }

  #cancel(id: number): void {
    this.#link.send(encodeIdFrame(KIND.cancel, id))
  }
}

/** What an error carries. */
export function dataOf(decoder: BodyDecoder, flags: number, reader: ByteReader): unknown {
  if ((flags & FLAG.data) === 0) return undefined
  try {
    return decoder.decode(reader.bytes, reader.at, reader.end)
  } catch {
    // The error itself is worth more than its data.
    return undefined
  }
}
