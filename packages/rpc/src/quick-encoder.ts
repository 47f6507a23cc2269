// What most calls carry (null, booleans, numbers, strings, and arrays and plain objects of them), written in place.
// The same bytes as msgpackr gives; it takes everything else.

/** There is not enough room. */
export const NO_ROOM = -1
/** Something that is not for this encoder. */
export const NOT_QUICK = -2

const MAX_DEPTH = 8
const MAX_ITEMS = 0xffff
/** What a header or a number takes at most. */
const MAX_SCALAR_BYTES = 9
/** Below it a loop beats a call into the platform. */
const SHORT_CHARS = 12

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)
const encoder = new TextEncoder()

type Write = (this: Uint8Array, text: string, at: number, bytes: number) => number
/** Node's own; three times as fast as `TextEncoder` for short strings. */
const utf8Write = (globalThis as { Buffer?: { prototype: { utf8Write?: Write } } }).Buffer
  ?.prototype.utf8Write

/** Writes a value from a place on. @returns The place after it, or {@link NO_ROOM} or {@link NOT_QUICK}. */
export function encodeQuick(out: Uint8Array, at: number, value: unknown): number {
  return put(out, at, value, 0)
}

function put(out: Uint8Array, at: number, value: unknown, depth: number): number {
  if (at + MAX_SCALAR_BYTES > out.length) return NO_ROOM
  switch (typeof value) {
    case 'string':
      return putText(out, at, value)
    case 'number':
      return putNumber(out, at, value)
    case 'boolean':
      out[at] = value ? 0xc3 : 0xc2
      return at + 1
    case 'undefined':
      out[at] = 0xd4
      out[at + 1] = 0
      out[at + 2] = 0
      return at + 3
    case 'object':
      if (value === null) {
        out[at] = 0xc0
        return at + 1
      }
      if (depth === MAX_DEPTH) return NOT_QUICK
      if (Array.isArray(value)) return putArray(out, at, value as readonly unknown[], depth + 1)
      return putObject(out, at, value as Record<string, unknown>, depth + 1)
    default:
      return NOT_QUICK
  }
}

function putNumber(out: Uint8Array, at: number, value: number): number {
  if (value >>> 0 === value) {
    if (value < 0x80) {
      out[at] = value
      return at + 1
    }
    if (value < 0x100) {
      out[at] = 0xcc
      out[at + 1] = value
      return at + 2
    }
    if (value < 0x10000) {
      out[at] = 0xcd
      out[at + 1] = value >> 8
      out[at + 2] = value
      return at + 3
    }
    out[at] = 0xce
    return putBigEndian(out, at + 1, value)
  }
  if (value >> 0 === value) {
    if (value >= -0x20) {
      out[at] = value
      return at + 1
    }
    if (value >= -0x80) {
      out[at] = 0xd0
      out[at + 1] = value
      return at + 2
    }
    if (value >= -0x8000) {
      out[at] = 0xd1
      out[at + 1] = value >> 8
      out[at + 2] = value
      return at + 3
    }
    out[at] = 0xd2
    return putBigEndian(out, at + 1, value)
  }
  out[at] = 0xcb
  float[0] = value
  for (let i = 0; i < 8; i++) out[at + 1 + i] = floatBytes[7 - i]!
  return at + 9
}

function putBigEndian(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24
  out[at + 1] = value >>> 16
  out[at + 2] = value >>> 8
  out[at + 3] = value
  return at + 4
}

function putText(out: Uint8Array, at: number, text: string): number {
  const { length } = text
  if (length <= SHORT_CHARS) {
    if (at + 1 + length > out.length) return NO_ROOM
    let i = 0
    for (; i < length; i++) {
      const char = text.charCodeAt(i)
      if (char >= 0x80) break
      out[at + 1 + i] = char
    }
    if (i === length) {
      out[at] = 0xa0 | length
      return at + 1 + length
    }
  }
  if (at + 5 + length * 3 > out.length) return NO_ROOM
  // The header of as many bytes as there are characters; mostly that is what there are.
  const guess = textHeaderBytes(length)
  const start = at + guess
  const written =
    utf8Write === undefined
      ? encoder.encodeInto(text, out.subarray(start)).written
      : utf8Write.call(out, text, start, length * 3)
  const header = textHeaderBytes(written)
  if (header !== guess) out.copyWithin(at + header, start, start + written)
  if (header === 1) out[at] = 0xa0 | written
  else if (header === 2) {
    out[at] = 0xd9
    out[at + 1] = written
  } else {
    out[at] = 0xda
    out[at + 1] = written >> 8
    out[at + 2] = written
  }
  return at + header + written
}

/** Of texts below 64 KiB: longer ones do not fit in a slab. */
const textHeaderBytes = (bytes: number): number => (bytes < 0x20 ? 1 : bytes < 0x100 ? 2 : 3)

function putArray(out: Uint8Array, at: number, items: readonly unknown[], depth: number): number {
  const { length } = items
  if (length > MAX_ITEMS) return NOT_QUICK
  if (length < 0x10) out[at++] = 0x90 | length
  else {
    out[at] = 0xdc
    out[at + 1] = length >> 8
    out[at + 2] = length
    at += 3
  }
  for (let i = 0; i < length; i++) {
    at = put(out, at, items[i], depth)
    if (at < 0) return at
  }
  return at
}

function putObject(
  out: Uint8Array,
  at: number,
  value: Record<string, unknown>,
  depth: number,
): number {
  if (Object.getPrototypeOf(value) !== Object.prototype) return NOT_QUICK
  const keys = Object.keys(value)
  const { length } = keys
  if (length > MAX_ITEMS) return NOT_QUICK
  if (length < 0x10) out[at++] = 0x80 | length
  else {
    out[at] = 0xde
    out[at + 1] = length >> 8
    out[at + 2] = length
    at += 3
  }
  for (const key of keys) {
    if (at + MAX_SCALAR_BYTES > out.length) return NO_ROOM
    at = putText(out, at, key)
    if (at < 0) return at
    at = put(out, at, value[key], depth)
    if (at < 0) return at
  }
  return at
}
