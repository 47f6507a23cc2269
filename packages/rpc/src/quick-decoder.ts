// Reads what the quick encoder writes, and leaves everything else to msgpackr.

/** The bytes are not for this decoder, or are malformed: msgpackr says which. */
export const NOT_QUICK: unique symbol = Symbol('not quick')

const MAX_DEPTH = 16
const MAX_SHORT_BYTES = 12
const KEYS = 512

interface Sliceable extends Uint8Array {
  /** What chunks of Node's sockets have; several times as fast as a `TextDecoder` for short strings. */
  utf8Slice?(start: number, end: number): string
}

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)
const decoder = new TextDecoder()

// Decoding calls nobody, so one set of places does for all.
let bytes: Sliceable = new Uint8Array(0)
let at = 0
let end = 0
/** Keys seen lately: the same few come again and again. */
const keys: string[] = Array.from({ length: KEYS }, () => '')

/** Reads the one value that fills what lies between the two places. */
export function decodeQuick(message: Uint8Array, start: number, until: number): unknown {
  bytes = message
  at = start
  end = until
  const value = read(0)
  return at === end ? value : NOT_QUICK
}

function read(depth: number): unknown {
  if (at >= end) return NOT_QUICK
  const first = bytes[at++]!
  if (first < 0x80) return first
  if (first >= 0xe0) return first - 0x100
  if (first >= 0xa0 && first < 0xc0) return text(first & 0x1f)
  if (first < 0x90) return map(first & 0x0f, depth + 1)
  if (first < 0xa0) return array(first & 0x0f, depth + 1)
  switch (first) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xcb: {
      if (end - at < 8) return NOT_QUICK
      for (let i = 0; i < 8; i++) floatBytes[7 - i] = bytes[at + i]!
      at += 8
      return float[0]
    }
    case 0xcc:
      return end - at < 1 ? NOT_QUICK : bytes[at++]!
    case 0xcd:
      return end - at < 2 ? NOT_QUICK : u16()
    case 0xce:
      return end - at < 4 ? NOT_QUICK : i32() >>> 0
    case 0xd0:
      return end - at < 1 ? NOT_QUICK : (bytes[at++]! << 24) >> 24
    case 0xd1:
      return end - at < 2 ? NOT_QUICK : (u16() << 16) >> 16
    case 0xd2:
      return end - at < 4 ? NOT_QUICK : i32()
    case 0xd4: {
      // undefined
      if (end - at < 2 || bytes[at] !== 0 || bytes[at + 1] !== 0) return NOT_QUICK
      at += 2
      return undefined
    }
    case 0xd9:
      return end - at < 1 ? NOT_QUICK : text(bytes[at++]!)
    case 0xda:
      return end - at < 2 ? NOT_QUICK : text(u16())
    case 0xdc:
      return end - at < 2 ? NOT_QUICK : array(u16(), depth + 1)
    case 0xde:
      return end - at < 2 ? NOT_QUICK : map(u16(), depth + 1)
    default:
      return NOT_QUICK
  }
}

function u16(): number {
  const value = (bytes[at]! << 8) | bytes[at + 1]!
  at += 2
  return value
}

function i32(): number {
  const value = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  at += 4
  return value
}

function text(length: number): string | typeof NOT_QUICK {
  if (length > end - at) return NOT_QUICK
  const start = at
  at += length
  if (length <= MAX_SHORT_BYTES) {
    const short = shortText(start, length)
    if (short !== undefined) return short
  }
  return bytes.utf8Slice === undefined
    ? decoder.decode(bytes.subarray(start, at))
    : bytes.utf8Slice(start, at)
}

/** `undefined` when not all of it is ASCII. */
function shortText(start: number, length: number): string | undefined {
  let value = ''
  let i = start
  const until = start + length
  for (; i + 4 <= until; i += 4) {
    const a = bytes[i]!
    const b = bytes[i + 1]!
    const c = bytes[i + 2]!
    const d = bytes[i + 3]!
    if (((a | b | c | d) & 0x80) !== 0) return undefined
    value += String.fromCharCode(a, b, c, d)
  }
  for (; i < until; i++) {
    const a = bytes[i]!
    if (a >= 0x80) return undefined
    value += String.fromCharCode(a)
  }
  return value
}

function array(length: number, depth: number): unknown[] | typeof NOT_QUICK {
  // An item has at least one byte.
  if (length > end - at || depth > MAX_DEPTH) return NOT_QUICK
  if (length === 1) {
    const item = read(depth)
    return item === NOT_QUICK ? NOT_QUICK : [item]
  }
  const items: unknown[] = []
  // A list that grows takes room for 17 at first; a long one is not believed its length.
  if (length < 17) items.length = length
  for (let i = 0; i < length; i++) {
    const item = read(depth)
    if (item === NOT_QUICK) return NOT_QUICK
    items[i] = item
  }
  return items
}

function map(length: number, depth: number): Record<string, unknown> | typeof NOT_QUICK {
  if (length * 2 > end - at || depth > MAX_DEPTH) return NOT_QUICK
  const object: Record<string, unknown> = {}
  for (let i = 0; i < length; i++) {
    const name = key()
    if (name === undefined) return NOT_QUICK
    const value = read(depth)
    if (value === NOT_QUICK) return NOT_QUICK
    object[name] = value
  }
  return object
}

function key(): string | undefined {
  if (at >= end) return undefined
  const length = bytes[at]! - 0xa0
  if (length < 0 || length > 0x1f || length > end - at - 1) return undefined
  const start = at + 1
  at = start + length
  const slot =
    length === 0 ? 0 : (bytes[start]! * 31 + bytes[at - 1]! * 7 + length * 131) & (KEYS - 1)
  const known = keys[slot]!
  if (known.length === length && isText(known, start)) return known
  const fresh = shortText(start, length)
  if (fresh === undefined || fresh === '__proto__') return undefined
  keys[slot] = fresh
  return fresh
}

function isText(known: string, start: number): boolean {
  for (let i = 0; i < known.length; i++) {
    if (known.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}
