import {
  concat,
  encodeString,
  putBytes,
  putU32,
  putVarint,
  utf8,
  varintSize,
} from './byte-writer.ts'
import type { Probe } from './deadlock-watch.ts'

/** The protocol this package speaks; see PROTOCOL.md. */
export const PROTOCOL_VERSION = 3

/** What a frame is: the low five bits of its first byte. */
export const KIND = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  route: 5,
  call: 6,
  notify: 7,
  reply: 8,
  error: 9,
  cancel: 10,
  ping: 11,
  pong: 12,
  open: 13,
  data: 14,
  close: 15,
  probe: 16,
  stream: 17,
  item: 18,
  end: 19,
  credit: 20,
} as const

export const KIND_MASK = 0x1f

/** The high three bits, by kind. */
export const FLAG = {
  /** call, notify: the route is spelled out instead of numbered. */
  inline: 0x20,
  /** call, notify: an entity id follows the route. */
  entity: 0x40,
  /** call, notify: a length and that many bytes follow, which a receiver may skip. */
  extras: 0x80,
  /** reply: the result is undefined, there is no body. */
  void: 0x20,
  /** error, end: data follows. */
  data: 0x20,
  /** end: with an error, whose code and message follow. */
  failed: 0x40,
  /** item, end, credit, cancel: the stream is an argument, it goes to the handler. */
  up: 0x80,
  /** open, data, close: the virtual link is one that the receiver opened. */
  yours: 0x20,
  /** data: sent on the state lane. */
  state: 0x40,
} as const

/** Longest service name, method path, entity id; in bytes. */
export const MAX_NAME_BYTES = 255
/** Routes one end may number on one link; further ones are spelled out each time. */
export const MAX_ROUTES = 1024
export const MAX_ROUTE_BYTES = 65_536

/** In an error. */
export const MAX_ERROR_TEXT_BYTES: number = 64 * 1024
/** The id of what is not answered. */
export const NOTIFY_ID = 0

/** In the trail of a probe. */
export const MAX_TRAIL_NAME_BYTES = 1024
const MAX_TRAIL_NAMES = 255

export const EXECUTED = ['no', 'maybe', 'yes'] as const

/** Names one remote method. Made once per remote method, shared by all its calls. */
export interface Route {
  /** Empty for entities. */
  readonly service: string
  /** `bag.use`: components, then the method. */
  readonly method: string
  readonly key: string
  readonly bytes: Uint8Array
  /** Where it led the last time, when that was in this process. */
  plan?: object | undefined
}

export function makeRoute(service: string, method: string): Route {
  for (const name of [service, method]) {
    if (utf8(name).length > MAX_NAME_BYTES) {
      throw new RangeError(`a name longer than ${MAX_NAME_BYTES} bytes: ${name.slice(0, 32)}…`)
    }
  }
  return {
    service,
    method,
    key: `${service}\n${method}`,
    bytes: concat(encodeString(service), encodeString(method)),
    plan: undefined,
  }
}

/** For people. */
export const nameOf = (route: Route): string =>
  `${route.service === '' ? 'entity' : route.service}.${route.method}`

/** An entity id as frames carry it. */
export function encodeEntityId(id: string): Uint8Array {
  if (id === '' || utf8(id).length > MAX_NAME_BYTES) {
    throw new RangeError(`an entity id must have 1 to ${MAX_NAME_BYTES} bytes, got "${id}"`)
  }
  return encodeString(id)
}

export function encodeRoute(id: number, route: Route): Uint8Array {
  const out = new Uint8Array(1 + varintSize(id) + route.bytes.length)
  out[0] = KIND.route
  putBytes(out, putVarint(out, 1, id), route.bytes)
  return out
}

export const decodeExecuted = (value: number): (typeof EXECUTED)[number] =>
  EXECUTED[value] ?? 'maybe'

/** Frames that are an id and nothing else: cancel, ping, pong, a void reply. */
export function encodeIdFrame(first: number, id: number): Uint8Array {
  const out = new Uint8Array(5)
  out[0] = first
  putU32(out, 1, id)
  return out
}

export function encodeCredit(callId: number, items: number, bytes: number): Uint8Array {
  const out = new Uint8Array(5 + varintSize(items) + varintSize(bytes))
  out[0] = KIND.credit
  putVarint(out, putVarint(out, putU32(out, 1, callId), items), bytes)
  return out
}

/** Asks the handler of a call for whom it waits. */
export function encodeProbe(callId: number, { origin, round, hops, trail }: Probe): Uint8Array {
  const names = trail.slice(-MAX_TRAIL_NAMES).map(encodeString)
  const head = new Uint8Array(19)
  head[0] = KIND.probe
  putU32(head, 1, callId)
  putU32(head, 5, origin % 2 ** 32)
  putU32(head, 9, Math.floor(origin / 2 ** 32))
  putU32(head, 13, round)
  head[17] = hops
  head[18] = names.length
  return concat(head, ...names)
}

export function encodeClose(flags: number, id: number, code: number, reason: string): Uint8Array {
  const text = encodeString(reason)
  const out = new Uint8Array(7 + text.length)
  out[0] = KIND.close | flags
  putU32(out, 1, id)
  out[5] = code
  out[6] = code >>> 8
  out.set(text, 7)
  return out
}

export function targetFlags(routeId: number, entity: Uint8Array | undefined): number {
  return (routeId < 0 ? FLAG.inline : 0) | (entity === undefined ? 0 : FLAG.entity)
}

export function targetSize(routeId: number, route: Route, entity: Uint8Array | undefined): number {
  const named = routeId < 0 ? route.bytes.length : varintSize(routeId)
  return entity === undefined ? named : named + entity.length
}

export function putTarget(
  out: Uint8Array,
  at: number,
  routeId: number,
  route: Route,
  entity: Uint8Array | undefined,
): number {
  const next = routeId < 0 ? putBytes(out, at, route.bytes) : putVarint(out, at, routeId)
  return entity === undefined ? next : putBytes(out, next, entity)
}
