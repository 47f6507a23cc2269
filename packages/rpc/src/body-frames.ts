import { concat, encodeString, putU32, putVarint, varintSize } from './byte-writer.ts'
import { encodeBehind } from './codec.ts'
import {
  encodeIdFrame,
  EXECUTED,
  FLAG,
  KIND,
  makeRoute,
  putTarget,
  targetFlags,
  targetSize,
  type Route,
} from './wire.ts'

// Frames that end with a body. They are valid until the next encode: they are sent at once.

/**
 * @param routeId - Its number on this link, or -1 to spell it out.
 * @param extras - With their length in front.
 */
export function encodeCall(
  callId: number,
  timeoutMs: number,
  routeId: number,
  route: Route,
  entity: Uint8Array | undefined,
  extras: Uint8Array | undefined,
  args: readonly unknown[],
): Uint8Array {
  const size = 5 + varintSize(timeoutMs) + targetSize(routeId, route, entity)
  const out = encodeBehind(size + (extras?.length ?? 0), args)
  out[0] = KIND.call | targetFlags(routeId, entity) | (extras === undefined ? 0 : FLAG.extras)
  const at = putVarint(out, putU32(out, 1, callId), timeoutMs)
  const end = putTarget(out, at, routeId, route, entity)
  if (extras !== undefined) out.set(extras, end)
  return out
}

export function encodeNotifyFrame(
  routeId: number,
  route: Route,
  entity: Uint8Array | undefined,
  args: readonly unknown[],
): Uint8Array {
  const out = encodeBehind(1 + targetSize(routeId, route, entity), args)
  out[0] = KIND.notify | targetFlags(routeId, entity)
  putTarget(out, 1, routeId, route, entity)
  return out
}

/**
 * A self-contained one-way frame, valid on any RPC link: what a multicast encodes once and sends to many.
 *
 * @param method - A method, or `component.method`.
 */
export function encodeNotify(
  service: string,
  method: string,
  args: readonly unknown[],
): Uint8Array {
  return Uint8Array.prototype.slice.call(
    encodeNotifyFrame(-1, makeRoute(service, method), undefined, args),
  )
}

export function encodeReply(callId: number, result: unknown): Uint8Array {
  if (result === undefined) return encodeIdFrame(KIND.reply | FLAG.void, callId)
  const out = encodeBehind(5, result)
  out[0] = KIND.reply
  putU32(out, 1, callId)
  return out
}

export function encodeError(
  callId: number,
  executed: (typeof EXECUTED)[number],
  code: string,
  message: string,
  data: unknown,
): Uint8Array {
  const codeBytes = encodeString(code)
  const messageBytes = encodeString(message)
  const size = 6 + codeBytes.length + messageBytes.length
  const out = data === undefined ? new Uint8Array(size) : encodeBehind(size, data)
  out[0] = KIND.error | (data === undefined ? 0 : FLAG.data)
  putU32(out, 1, callId)
  out[5] = EXECUTED.indexOf(executed)
  out.set(codeBytes, 6)
  out.set(messageBytes, 6 + codeBytes.length)
  return out
}

export function encodeItem(callId: number, value: unknown): Uint8Array {
  const out = encodeBehind(5, value)
  out[0] = KIND.item
  putU32(out, 1, callId)
  return out
}

/** The end of a stream with an error. */
export function encodeFailedEnd(
  callId: number,
  code: string,
  message: string,
  data: unknown,
): Uint8Array {
  const texts = concat(encodeString(code), encodeString(message))
  const size = 5 + texts.length
  const out = data === undefined ? new Uint8Array(size) : encodeBehind(size, data)
  out[0] = KIND.end | FLAG.failed | (data === undefined ? 0 : FLAG.data)
  putU32(out, 1, callId)
  out.set(texts, 5)
  return out
}

export function encodeOpen(id: number, meta: unknown): Uint8Array {
  const out = encodeBehind(5, meta)
  out[0] = KIND.open
  putU32(out, 1, id)
  return out
}
