import { putU32, putVarint } from './byte-writer.ts'
import { isInPlace, type InPlaceLink } from './in-place-link.ts'
import type { Link } from './link.ts'
import { encodeQuick } from './quick-encoder.ts'
import { encodeCall, encodeNotifyFrame, encodeReply } from './body-frames.ts'
import { KIND, putTarget, targetFlags, type Route } from './wire.ts'

/** A header without its entity and extras. */
const HEADER_BYTES = 16
/** Room for the body of most messages; what needs more is encoded elsewhere and copied. */
const BODY_BYTES = 240

/** Too large for the other end. */
export class TooLarge extends RangeError {
  readonly bytes: number

  constructor(bytes: number, limit: number) {
    super(`${bytes} bytes, ${limit} are accepted`)
    this.bytes = bytes
  }
}

/**
 * Encodes the frames of the hot path and sends them: in place where link and body allow it, else by way of a buffer.
 * Its methods throw {@link TooLarge}, or what a body that cannot be encoded throws; nothing is sent then.
 */
export class FrameSender {
  readonly #link: Link
  readonly #inPlace: InPlaceLink | undefined
  readonly #maxBytes: number

  /** @param maxBytes - What the other end takes. */
  constructor(link: Link, maxBytes: number) {
    this.#link = link
    this.#inPlace = isInPlace(link) ? link : undefined
    this.#maxBytes = maxBytes
  }

  /** See `encodeCall`. @returns What `send` of the link says. */
  call(
    id: number,
    timeoutMs: number,
    routeId: number,
    route: Route,
    entity: Uint8Array | undefined,
    extras: Uint8Array | undefined,
    args: readonly unknown[],
  ): boolean {
    const link = this.#inPlace
    if (link !== undefined && routeId >= 0 && extras === undefined) {
      const start = link.openMessage(HEADER_BYTES + (entity?.length ?? 0) + BODY_BYTES)
      if (start >= 0) {
        const out = link.messageBytes
        out[start] = KIND.call | targetFlags(routeId, entity)
        const at = putVarint(out, putU32(out, start + 1, id), timeoutMs)
        const sent = this.#sendOpened(link, start, putTarget(out, at, routeId, route, entity), args)
        if (sent !== undefined) return sent
      }
    }
    return this.#send(encodeCall(id, timeoutMs, routeId, route, entity, extras, args))
  }

  notify(
    routeId: number,
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
  ): boolean {
    const link = this.#inPlace
    if (link !== undefined && routeId >= 0) {
      const start = link.openMessage(HEADER_BYTES + (entity?.length ?? 0) + BODY_BYTES)
      if (start >= 0) {
        const out = link.messageBytes
        out[start] = KIND.notify | targetFlags(routeId, entity)
        const at = putTarget(out, start + 1, routeId, route, entity)
        const sent = this.#sendOpened(link, start, at, args)
        if (sent !== undefined) return sent
      }
    }
    return this.#send(encodeNotifyFrame(routeId, route, entity, args))
  }

  reply(id: number, result: unknown): boolean {
    const link = this.#inPlace
    if (link !== undefined && result !== undefined) {
      const start = link.openMessage(HEADER_BYTES + BODY_BYTES)
      if (start >= 0) {
        const out = link.messageBytes
        out[start] = KIND.reply
        const sent = this.#sendOpened(link, start, putU32(out, start + 1, id), result)
        if (sent !== undefined) return sent
      }
    }
    return this.#send(encodeReply(id, result))
  }

  checkSize(bytes: number): void {
    if (bytes > this.#maxBytes) throw new TooLarge(bytes, this.#maxBytes)
  }

  /** @returns `undefined` when it was not sent in place. */
  #sendOpened(link: InPlaceLink, start: number, at: number, body: unknown): boolean | undefined {
    const out = link.messageBytes
    const end = encodeQuick(out, at, body)
    if (end < 0) {
      link.abandonMessage()
      return undefined
    }
    if (end - start > this.#maxBytes) {
      link.abandonMessage()
      throw new TooLarge(end - start, this.#maxBytes)
    }
    return link.sendMessage(out, start, end)
  }

  #send(frame: Uint8Array): boolean {
    this.checkSize(frame.length)
    return this.#link.send(frame)
  }
}
