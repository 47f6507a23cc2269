import { decodeBody } from '../body-decoder.ts'
import { encodeBehind } from '../body-encoder.ts'
import type { ByteReader } from '../byte-reader.ts'
import { concat, putU32, putVarint, varintSize } from '../byte-writer.ts'
import { RpcError } from '../errors.ts'
import type { Link } from '../link.ts'

/** Of arrays and maps inside one another, for the stack. */
const MAX_DEPTH = 512

export const varintOf = (value: number): Uint8Array => {
  const out = new Uint8Array(varintSize(value))
  putVarint(out, 0, value)
  return out
}

export function u32Of(value: number): Uint8Array {
  const out = new Uint8Array(4)
  putU32(out, 0, value)
  return out
}

/** The body that ends a frame. */
export const bodyOf = ({ bytes, at, end }: ByteReader): unknown =>
  decodeBody(bytes, at, end, MAX_DEPTH)

/** Puts frames together and sends them: a kind with its flags, the fields of its header, and a body, if there is one. */
export class FrameOutput {
  readonly #link: Link
  readonly #maxBytes: number
  /** The link asked to wait. */
  isCongested = false
  /** Of the last body that was sent. */
  bodyBytes = 0

  /** @param maxBytes - What the other end takes. */
  constructor(link: Link, maxBytes: number) {
    this.#link = link
    this.#maxBytes = maxBytes
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes
  }

  send(first: number, ...fields: readonly Uint8Array[]): void {
    this.#transmit(concat(Uint8Array.of(first), ...fields))
  }

  /**
   * @throws RpcError `RPC_TOO_LARGE`; TypeError for a body that cannot be encoded. Nothing is sent then.
   * @returns Whether it was accepted.
   */
  sendBody(
    body: unknown,
    unreliable: boolean,
    first: number,
    ...fields: readonly Uint8Array[]
  ): boolean {
    const head = concat(Uint8Array.of(first), ...fields)
    const frame = encodeBehind(head.length, body)
    if (frame.length > this.#maxBytes)
      throw new RpcError('RPC_TOO_LARGE', `${frame.length} bytes, ${this.#maxBytes} are accepted`)
    frame.set(head)
    this.bodyBytes = frame.length - head.length
    if (unreliable) return this.#link.sendUnreliable!(frame)
    this.#transmit(frame)
    return true
  }

  get hasUnreliable(): boolean {
    return this.#link.sendUnreliable !== undefined
  }

  #transmit(frame: Uint8Array): void {
    if (!this.#link.send(frame)) this.isCongested = true
  }
}
