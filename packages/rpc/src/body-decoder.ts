import {
  CODE_ARRAY_BUFFER,
  CODE_DATA_VIEW,
  EXT_BIGINT,
  EXT_TIMESTAMP,
  EXT_TYPED_ARRAY,
  EXT_UNDEFINED,
  TYPED_ARRAYS,
} from './body-encoder.ts'
import { RpcError } from './errors.ts'

const MAX_BIGINT_BYTES = 64
/** Longer strings are left to the platform's decoder. */
const MAX_PLAIN_BYTES = 24
const MAX_CACHED_KEY_BYTES = 32
const CACHED_KEYS = 256
/** Items an array has room for before they are there, when they are not few. */
const FEW = 32
const MAX_AHEAD = 4096

const utf8 = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

interface CachedKey {
  readonly bytes: Uint8Array
  readonly text: string
}
/** By a hash of their bytes. What is here is a string that objects already have as a key, which a fresh one is not. */
const keys: (CachedKey | undefined)[] = []

// One message is read at a time and to its end: plain variables are what engines are fastest with.
let bytes: Uint8Array
/** Over the whole buffer that a message lies in: making one for each message costs more than its numbers. */
let view: DataView
let viewed: ArrayBufferLike | undefined
let base = 0
let offset = 0
let at = 0
let end = 0
let depth = 0

/**
 * Reads the one value that fills what lies between the two places. Total: any bytes give a value or the error, and never more is made
 * than the bytes there can hold: the size of the message, which its link limits, bounds everything but the depth.
 *
 * @param maxDepth - Arrays and maps inside one another.
 * @throws RpcError `RPC_PROTOCOL` for anything else than exactly one value no deeper than that, of the types of PROTOCOL.md.
 */
export function decodeBody(
  message: Uint8Array,
  start: number,
  until: number,
  maxDepth: number,
): unknown {
  bytes = message
  base = -1
  at = start
  end = until
  depth = maxDepth
  const value = read()
  if (at !== end) refuse('bytes after the value')
  return value
}

function refuse(why: string): never {
  throw new RpcError('RPC_PROTOCOL', `the message body is refused: ${why}`)
}

function read(): unknown {
  if (at >= end) refuse('cut short')
  const token = bytes[at++]!
  if (token < 0x80) return token
  if (token >= 0xe0) return token - 0x100
  if (token < 0x90) return readMap(token & 0x0f)
  if (token < 0xa0) return readArray(token & 0x0f)
  if (token < 0xc0) return readString(token & 0x1f)
  switch (token) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xc4: // bin 8, 16, 32
    case 0xc5:
    case 0xc6:
      return take(uint(1 << (token - 0xc4)))
    case 0xc7: // ext 8, 16, 32
    case 0xc8:
    case 0xc9: {
      const size = uint(1 << (token - 0xc7))
      return readExtension(size, false)
    }
    case 0xca:
      return word(4).getFloat32(offset)
    case 0xcb:
      return word(8).getFloat64(offset)
    case 0xcc:
      return bytes[skip(1)]
    case 0xcd: {
      const from = skip(2)
      return (bytes[from]! << 8) | bytes[from + 1]!
    }
    case 0xce:
      return uint(4)
    case 0xcf:
      return word(8).getBigUint64(offset)
    case 0xd0:
      return word(1).getInt8(offset)
    case 0xd1:
      return word(2).getInt16(offset)
    case 0xd2:
      return word(4).getInt32(offset)
    case 0xd3:
      return word(8).getBigInt64(offset)
    case 0xd4: // fixext 1, 2, 4, 8, 16
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return readExtension(1 << (token - 0xd4), true)
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb:
      return readString(uint(1 << (token - 0xd9)))
    case 0xdc: // array 16, 32
    case 0xdd:
      return readArray(uint(2 << (token - 0xdc)))
    case 0xde: // map 16, 32
    case 0xdf:
      return readMap(uint(2 << (token - 0xde)))
    default:
      return refuse('a token that is never used')
  }
}

/** So many bytes further. Returns where they begin. */
function skip(size: number): number {
  if (size > end - at) refuse('cut short')
  const from = at
  at += size
  return from
}

/** A copy: it outlives the message. */
function take(size: number): Uint8Array<ArrayBuffer> {
  const from = skip(size)
  return Uint8Array.prototype.slice.call(bytes, from, at) as Uint8Array<ArrayBuffer>
}

/** Big endian. */
function uint(width: number): number {
  let value = 0
  for (let from = skip(width); from < at; from++) value = value * 256 + bytes[from]!
  return value
}

/** The next so many bytes, as a view and where they begin in it: `offset`. */
function word(width: number): DataView {
  if (base < 0) {
    base = bytes.byteOffset
    if (viewed !== bytes.buffer) {
      viewed = bytes.buffer
      view = new DataView(viewed)
    }
  }
  offset = skip(width) + base
  return view
}

function readString(size: number): string {
  const from = skip(size)
  return textOf(from, size)
}

function textOf(from: number, size: number): string {
  if (size <= MAX_PLAIN_BYTES) {
    let text = ''
    let i = from
    for (; i < at; i++) {
      const byte = bytes[i]!
      if (byte >= 0x80) break
      text += String.fromCharCode(byte)
    }
    if (i === at) return text
  }
  return utf8.decode(bytes.subarray(from, at))
}

/** Checks that each item has a byte at least: a count that cannot be there is not believed. */
function enter(count: number, width: number): void {
  if (count * width > end - at) refuse('cut short')
  if (--depth < 0) refuse('nested too deep')
}

function readArray(count: number): unknown[] {
  enter(count, 1)
  const list: unknown[] = []
  if (count > FEW) list.length = Math.min(count, MAX_AHEAD)
  for (let i = 0; i < count; i++) list[i] = read()
  depth++
  return list
}

function readMap(count: number): Record<string, unknown> {
  enter(count, 2)
  const map: Record<string, unknown> = {}
  for (let i = 0; i < count; i++) {
    const key = readKey()
    map[key] = read()
  }
  depth++
  return map
}

function readKey(): string {
  if (at >= end) refuse('cut short')
  const token = bytes[at++]!
  let size = token & 0x1f
  if (token >= 0xd9 && token <= 0xdb) size = uint(1 << (token - 0xd9))
  else if (token < 0xa0 || token >= 0xc0) refuse('a key that is not a string')
  const from = skip(size)
  if (size > MAX_CACHED_KEY_BYTES) return textOf(from, size)
  let hash = size
  for (let i = from; i < at; i++) hash = (hash * 31 + bytes[i]!) | 0
  hash = (hash ^ (hash >>> 8)) & (CACHED_KEYS - 1)
  const known = keys[hash]
  if (known !== undefined && known.bytes.length === size) {
    let i = 0
    while (i < size && known.bytes[i] === bytes[from + i]) i++
    if (i === size) return known.text
  }
  const text = textOf(from, size)
  if (text === '__proto__') refuse('the key __proto__')
  keys[hash] = { bytes: bytes.slice(from, at), text }
  return text
}

function readExtension(size: number, isFixed: boolean): unknown {
  const type = bytes[skip(1)]!
  if (size > end - at) refuse('cut short')
  switch (type) {
    case EXT_UNDEFINED:
      if (size !== 1 || !isFixed) break
      at += 1
      return undefined
    case EXT_TIMESTAMP:
      return readDate(size)
    case EXT_BIGINT: {
      if (size > MAX_BIGINT_BYTES) refuse('a bigint too long')
      let value = 0n
      const from = skip(size)
      for (let i = from; i < at; i++) value = (value << 8n) | BigInt(bytes[i]!)
      return BigInt.asIntN(size * 8, value)
    }
    case EXT_TYPED_ARRAY:
      return readBinary(size)
  }
  return refuse('an extension that is not allowed')
}

function readDate(size: number): Date {
  let seconds: number
  let nanoseconds = 0
  if (size === 4) seconds = uint(4)
  else if (size === 8) {
    const high = uint(4)
    nanoseconds = high >>> 2
    seconds = (high & 3) * 2 ** 32 + uint(4)
  } else if (size === 12) {
    nanoseconds = uint(4)
    seconds = Number(word(8).getBigInt64(offset))
  } else return refuse('a date of a wrong size')
  return new Date(seconds * 1000 + nanoseconds / 1_000_000)
}

function readBinary(size: number): unknown {
  if (size > 0) {
    const code = bytes[skip(1)]!
    const { buffer } = take(size - 1)
    if (code === CODE_ARRAY_BUFFER) return buffer
    if (code === CODE_DATA_VIEW) return new DataView(buffer)
    const type = TYPED_ARRAYS[code]
    if (type !== undefined && (size - 1) % type.BYTES_PER_ELEMENT === 0) return new type(buffer)
  }
  return refuse('a malformed typed array')
}
