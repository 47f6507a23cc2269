const FIRST_BYTES = 4096
/** A larger buffer is not kept for the next message. */
const MAX_KEPT_BYTES = 1024 * 1024
/** Above it the platform's encoder is faster than a loop. */
const MAX_PLAIN_LENGTH = 48
const MAX_BIGINT_BYTES = 65_536
export const EXT_UNDEFINED = 0x00
export const EXT_BIGINT = 0x42
export const EXT_TYPED_ARRAY = 0x74
export const EXT_TIMESTAMP = 0xff

interface TypedArrayType {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBuffer): ArrayBufferView
}

/** By their code on the wire. */
export const TYPED_ARRAYS: readonly TypedArrayType[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]
export const CODE_ARRAY_BUFFER = 16
export const CODE_DATA_VIEW = 17

const utf8 = /* @__PURE__ */ new TextEncoder()

// One value is written at a time: plain variables are what engines are fastest with.
let out: Uint8Array
let view: DataView
let at = 0
let isBusy = false

function use(buffer: Uint8Array<ArrayBuffer>): void {
  out = buffer
  view = new DataView(buffer.buffer)
}

/**
 * Encodes a value behind `reserved` bytes of room for a header, which the caller fills in. The result is
 * valid until the next encode: send or copy it at once.
 *
 * @throws TypeError for what cannot be sent: functions, remotes, symbols, sets, errors, expressions, streams, promises, invalid dates.
 */
export function encodeBehind(reserved: number, value: unknown): Uint8Array {
  // A getter or a `toJSON` may send messages of its own.
  if (isBusy) return encodeInside(reserved, value)
  if (out === undefined || out.length > MAX_KEPT_BYTES) use(new Uint8Array(FIRST_BYTES))
  isBusy = true
  try {
    at = 0
    room(reserved)
    at = reserved
    write(value)
    return out.subarray(0, at)
  } finally {
    isBusy = false
  }
}

/** While another value is being written. */
function encodeInside(reserved: number, value: unknown): Uint8Array {
  const outer = out
  const outerView = view
  const outerAt = at
  isBusy = false
  use(new Uint8Array(FIRST_BYTES))
  try {
    return encodeBehind(reserved, value)
  } finally {
    out = outer
    view = outerView
    at = outerAt
    isBusy = true
  }
}

/** Room for so many bytes from here on. */
function room(bytes: number): void {
  if (at + bytes <= out.length) return
  const before = out
  use(new Uint8Array(Math.max(before.length * 2, at + bytes)))
  out.set(before.subarray(0, at))
}

function write(value: unknown): void {
  if (at + 16 > out.length) room(16)
  if (typeof value === 'number') {
    writeNumber(value)
    return
  }
  switch (typeof value) {
    case 'string':
      writeString(value)
      break
    case 'object':
      if (value === null) out[at++] = 0xc0
      else writeObject(value)
      break
    case 'boolean':
      out[at++] = value ? 0xc3 : 0xc2
      break
    case 'undefined':
      out[at++] = 0xd4
      out[at++] = EXT_UNDEFINED
      out[at++] = 0
      break
    case 'bigint':
      writeBigint(value)
      break
    default:
      throw new TypeError(
        `${typeof value === 'function' ? 'functions and remotes' : 'symbols'} cannot be sent`,
      )
  }
}

function writeNumber(value: number): void {
  if (value >>> 0 === value) {
    if (value >= 0x80) {
      if (value >= 0x10000) {
        out[at++] = 0xce
        out[at++] = value >>> 24
        out[at++] = value >>> 16
        out[at++] = value >>> 8
      } else if (value >= 0x100) {
        out[at++] = 0xcd
        out[at++] = value >>> 8
      } else out[at++] = 0xcc
    }
    out[at++] = value
  } else if (value >> 0 === value) {
    if (value >= -0x20) out[at++] = value
    else if (value >= -0x80) writeTagged(0xd0, value, 1)
    else if (value >= -0x8000) writeTagged(0xd1, value, 2)
    else writeTagged(0xd2, value, 4)
  } else {
    out[at++] = 0xcb
    view.setFloat64(at, value)
    at += 8
  }
}

/** Its low 8, 16 or 32 bits. */
function writeUint(value: number, width: number): void {
  if (width === 4) {
    out[at++] = value >>> 24
    out[at++] = value >>> 16
  }
  if (width > 1) out[at++] = value >>> 8
  out[at++] = value
}

function writeTagged(token: number, value: number, width: number): void {
  out[at++] = token
  writeUint(value, width)
}

/** The shortest of the three tokens for 8, 16 and 32 bits. */
function writeSize(size: number, token: number): void {
  if (size < 0x100) {
    out[at++] = token
    out[at++] = size
  } else if (size < 0x10000) writeTagged(token + 1, size, 2)
  else writeTagged(token + 2, size, 4)
}

function writeString(text: string): void {
  const { length } = text
  room(length * 3 + 5)
  if (length <= MAX_PLAIN_LENGTH) {
    // As if it were ASCII, which nearly all short strings are.
    const start = at
    if (length < 0x20) out[at++] = 0xa0 | length
    else {
      out[at++] = 0xd9
      out[at++] = length
    }
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      out[at++] = code
    }
    if (i === length) return
    at = start
  }
  const from = at + 5
  const { written } = utf8.encodeInto(text, out.subarray(from))
  if (written < 0x20) out[at++] = 0xa0 | written
  else writeSize(written, 0xd9)
  out.copyWithin(at, from, from + written)
  at += written
}

function writeObject(value: object): void {
  const { constructor } = value
  if (constructor === Object || constructor === undefined) writeFields(value)
  else if (Array.isArray(value)) {
    const { length } = value
    if (length < 0x10) out[at++] = 0x90 | length
    else writeLarge(length, 0xdc)
    for (let i = 0; i < length; i++) write(value[i])
  } else if (value instanceof Uint8Array && !(value instanceof Uint8ClampedArray)) {
    writeSize(value.length, 0xc4)
    writeBytes(value)
  } else if (value instanceof Date) writeDate(value)
  else if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value
    const code = TYPED_ARRAYS.findIndex((type) => value instanceof type)
    writeBinary(code < 0 ? CODE_DATA_VIEW : code, new Uint8Array(buffer, byteOffset, byteLength))
  } else if (value instanceof ArrayBuffer) writeBinary(CODE_ARRAY_BUFFER, new Uint8Array(value))
  else if (value instanceof Map) writeFields(Object.fromEntries(value))
  else if (value instanceof Set || value instanceof Error || value instanceof RegExp) {
    throw new TypeError(`a ${constructor.name} cannot be sent`)
  } else {
    const { toJSON } = value as { readonly toJSON?: unknown }
    const json = typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value
    if (json === value) writeFields(value)
    else write(json)
  }
}

function writeFields(value: object): void {
  // They have no fields of their own, and would arrive as empty objects.
  if (Symbol.asyncIterator in value || value instanceof Promise) {
    throw new TypeError('streams and promises cannot be sent')
  }
  const keys = Object.keys(value)
  const { length } = keys
  if (length < 0x10) out[at++] = 0x80 | length
  else writeLarge(length, 0xde)
  for (let i = 0; i < length; i++) {
    const key = keys[i]!
    writeString(key)
    write((value as Record<string, unknown>)[key])
  }
}

/** The shorter of the two tokens for 16 and 32 bits. */
function writeLarge(size: number, token: number): void {
  if (size < 0x10000) writeTagged(token, size, 2)
  else writeTagged(token + 1, size, 4)
}

function writeBytes(bytes: Uint8Array): void {
  room(bytes.length)
  out.set(bytes, at)
  at += bytes.length
}

/** The head of an extension of so many bytes. */
function writeExtension(size: number, type: number): void {
  room(size + 6)
  writeSize(size, 0xc7)
  out[at++] = type
}

function writeBinary(code: number, bytes: Uint8Array): void {
  writeExtension(bytes.length + 1, EXT_TYPED_ARRAY)
  out[at++] = code
  writeBytes(bytes)
}

function writeDate(date: Date): void {
  const ms = date.getTime()
  if (Number.isNaN(ms)) throw new TypeError('an invalid date cannot be sent')
  const seconds = Math.floor(ms / 1000)
  const nanoseconds = (ms - seconds * 1000) * 1_000_000
  if (seconds < 0 || seconds >= 2 ** 34) {
    writeExtension(12, EXT_TIMESTAMP)
    writeUint(nanoseconds, 4)
    writeLong(BigInt(seconds))
  } else if (nanoseconds === 0 && seconds < 2 ** 32) {
    writeExtension(4, EXT_TIMESTAMP)
    writeUint(seconds, 4)
  } else {
    writeExtension(8, EXT_TIMESTAMP)
    writeUint(nanoseconds * 4 + Math.floor(seconds / 2 ** 32), 4)
    writeUint(seconds, 4)
  }
}

/** The low 64 bits. */
function writeLong(value: bigint): void {
  view.setBigInt64(at, value)
  at += 8
}

function writeBigint(value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    out[at++] = 0xd3
    writeLong(value)
  } else if (BigInt.asUintN(64, value) === value) {
    out[at++] = 0xcf
    writeLong(value)
  } else {
    // Two's complement in whole 64-bit words.
    let bits = 64
    while (BigInt.asIntN(bits, value) !== value) {
      bits += 64
      if (bits > MAX_BIGINT_BYTES * 8) throw new TypeError('a bigint this large cannot be sent')
    }
    writeExtension(bits / 8, EXT_BIGINT)
    for (let shift = bits - 64; shift >= 0; shift -= 64) {
      writeLong(value >> BigInt(shift))
    }
  }
}
