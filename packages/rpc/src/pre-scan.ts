import type { DecodeLimits } from './decode-limits.ts'

const DEEPEST = 32
const EXT_UNDEFINED = 0x00
const EXT_BIGINT = 0x42
const EXT_TYPED_ARRAY = 0x74
const EXT_TIMESTAMP = 0xff
const EXT_REMOTE = 0x52
const EXT_STREAM = 0x53
const MAX_BIGINT_BYTES = 64
const MAX_REMOTE_BYTES = 1024
/** Element sizes by msgpackr's type code: Int8 … BigUint64, then ArrayBuffer (16) and DataView (17). */
const ELEMENT_BYTES = [1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 0, 0, 0, 0, 0, 1, 1]
const PROTO = [95, 95, 112, 114, 111, 116, 111, 95, 95]

// Scratch: a scan runs to its end without calling anything.
const left = new Int32Array(DEEPEST + 1)
const inMap = new Uint8Array(DEEPEST + 1)

/**
 * Walks one MessagePack value without building it.
 *
 * @returns What is wrong with it, or `undefined` when it may be decoded: exactly one value, within the
 * limits, string keys only, no `__proto__`, and no extension but undefined, dates, typed arrays, bigints.
 */
export function preScan(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: DecodeLimits,
): string | undefined {
  const maxDepth = Math.min(limits.maxDepth, DEEPEST)
  let at = start
  let tokens = 0
  let depth = 0
  let todo = 1
  let isMap = false

  for (;;) {
    while (todo === 0) {
      if (depth === 0) return at === end ? undefined : 'bytes after the value'
      depth -= 1
      todo = left[depth]!
      isMap = inMap[depth] === 1
    }
    if (at >= end) return 'cut short'
    if (++tokens > limits.maxTokens) return 'too many values'
    todo -= 1
    // A map's count is twice its size: what is left after a key is odd.
    const isKey = isMap && (todo & 1) === 1
    const token = bytes[at++]!

    let items = -1
    let itemsAreMap = false
    let size = 0

    if (token < 0x80 || token >= 0xe0) {
      if (isKey) return 'a key that is not a string'
      continue
    }
    if (token < 0x90) {
      items = token & 0x0f
      itemsAreMap = true
    } else if (token < 0xa0) {
      items = token & 0x0f
    } else if (token < 0xc0 || (token >= 0xd9 && token <= 0xdb)) {
      if (token < 0xc0) {
        size = token & 0x1f
      } else {
        const width = 1 << (token - 0xd9)
        size = readSize(bytes, at, width, end)
        at += width
      }
      if (isKey) {
        if (size > limits.maxKeyBytes) return 'a key too long'
        if (size === PROTO.length && isProto(bytes, at, end)) return 'the key __proto__'
      } else if (size > limits.maxStringBytes) return 'a string too long'
      if (size > end - at) return 'cut short'
      at += size
      continue
    } else {
      switch (token) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          break
        case 0xcc: // uint 8
        case 0xd0: // int 8
          size = 1
          break
        case 0xcd: // uint 16
        case 0xd1: // int 16
          size = 2
          break
        case 0xca: // float 32
        case 0xce: // uint 32
        case 0xd2: // int 32
          size = 4
          break
        case 0xcb: // float 64
        case 0xcf: // uint 64
        case 0xd3: // int 64
          size = 8
          break
        case 0xc4: // bin 8, 16, 32
        case 0xc5:
        case 0xc6: {
          const width = 1 << (token - 0xc4)
          size = readSize(bytes, at, width, end)
          at += width
          if (size > limits.maxBinaryBytes) return 'binary too long'
          break
        }
        case 0xd4: // fixext 1, 2, 4, 8, 16
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8: {
          size = 1 << (token - 0xd4)
          const wrong = checkExtension(bytes, at, size, end, limits)
          if (wrong !== undefined) return wrong
          size += 1
          break
        }
        case 0xc7: // ext 8, 16, 32
        case 0xc8:
        case 0xc9: {
          const width = 1 << (token - 0xc7)
          size = readSize(bytes, at, width, end)
          at += width
          const wrong = checkExtension(bytes, at, size, end, limits)
          if (wrong !== undefined) return wrong
          if (bytes[at] === EXT_UNDEFINED) return 'an extension that is not allowed'
          size += 1
          break
        }
        case 0xdc: // array 16, 32
        case 0xdd: {
          const width = 2 << (token - 0xdc)
          items = readSize(bytes, at, width, end)
          at += width
          break
        }
        case 0xde: // map 16, 32
        case 0xdf: {
          const width = 2 << (token - 0xde)
          items = readSize(bytes, at, width, end)
          at += width
          itemsAreMap = true
          break
        }
        default: // 0xc1
          return 'a token that is never used'
      }
    }
    if (isKey) return 'a key that is not a string'
    if (items < 0) {
      if (size > end - at) return 'cut short'
      at += size
      continue
    }
    if (items > (itemsAreMap ? limits.maxMapLength : limits.maxArrayLength)) {
      return itemsAreMap ? 'a map too large' : 'an array too long'
    }
    // Each item takes a byte at least: a count that cannot be there is refused before it is believed.
    if ((itemsAreMap ? items * 2 : items) > end - at) return 'cut short'
    if (depth >= maxDepth) return 'nested too deep'
    left[depth] = todo
    inMap[depth] = isMap ? 1 : 0
    depth += 1
    todo = itemsAreMap ? items * 2 : items
    isMap = itemsAreMap
  }
}

/** Big endian; past the end it is larger than any limit. */
function readSize(bytes: Uint8Array, at: number, width: number, end: number): number {
  if (width > end - at) return Number.MAX_SAFE_INTEGER
  let size = 0
  for (let i = 0; i < width; i++) size = size * 256 + bytes[at + i]!
  return size
}

function isProto(bytes: Uint8Array, at: number, end: number): boolean {
  if (PROTO.length > end - at) return false
  return PROTO.every((code, i) => bytes[at + i] === code)
}

function checkExtension(
  bytes: Uint8Array,
  at: number,
  size: number,
  end: number,
  limits: DecodeLimits,
): string | undefined {
  if (size >= end - at) return 'cut short'
  switch (bytes[at]) {
    case EXT_UNDEFINED:
      return size === 1 ? undefined : 'an extension that is not allowed'
    case EXT_TIMESTAMP:
      return size === 4 || size === 8 || size === 12 ? undefined : 'a date of a wrong size'
    case EXT_BIGINT:
      return size <= MAX_BIGINT_BYTES ? undefined : 'a bigint too long'
    case EXT_STREAM:
      return size === 4 ? undefined : 'a malformed stream'
    case EXT_REMOTE:
      return size <= MAX_REMOTE_BYTES ? undefined : 'a remote too long'
    case EXT_TYPED_ARRAY: {
      if (size > limits.maxBinaryBytes) return 'binary too long'
      const element = ELEMENT_BYTES[bytes[at + 1]!] ?? 0
      return element > 0 && (size - 1) % element === 0 ? undefined : 'a malformed typed array'
    }
    default:
      return 'an extension that is not allowed'
  }
}
