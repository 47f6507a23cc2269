import { addExtension, Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE, Unpackr } from 'msgpackr'
import { RpcError } from './errors.ts'
import { decodeQuick, NOT_QUICK } from './quick-decoder.ts'
import type { DecodeLimits } from './decode-limits.ts'
import { preScan } from './pre-scan.ts'
import { isStream } from './stream-source.ts'

/** msgpackr keeps the header's room in the low byte of its options. */
const MAX_RESERVED = 0xff

/** There is a function, which may be a remote, in what was to be encoded. */
export class FunctionFound extends TypeError {
  constructor() {
    super('functions and remotes cannot be sent')
  }
}

let functionValue: ((value: object) => unknown) | undefined

/** Encodes with something to send in the place of functions. */
export function encodeFunctionsBy<T>(valueOf: (value: object) => unknown, encode: () => T): T {
  const before = functionValue
  functionValue = valueOf
  try {
    return encode()
  } finally {
    functionValue = before
  }
}

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  moreTypes: true,
  copyBuffers: true,
  // The declaration leaves out that it is given the function.
  writeFunction: ((value: object): unknown => {
    if (functionValue === undefined) throw new FunctionFound()
    return functionValue(value)
  }) as () => unknown,
} as const

let isEncoding = false

/** What has no fields of its own, and would arrive as an empty object. */
class NoData {
  /** The extensions of msgpackr are those of the process: other users of it see nothing of this one. */
  static [Symbol.hasInstance](value: object): boolean {
    return isEncoding && (value instanceof Promise || isStream(value))
  }
}

addExtension({
  Class: NoData as never,
  write: () => {
    throw new TypeError('promises cannot be sent, nor streams inside of other values')
  },
} as never)

const packr = new Packr(options)

/**
 * Encodes a value behind `reserved` bytes of room for a header, which the caller fills in. The result is
 * valid until the next encode: send or copy it at once.
 */
export function encodeBehind(reserved: number, value: unknown): Uint8Array {
  // A getter or a `toJSON` may send messages of its own.
  const before = isEncoding
  isEncoding = true
  try {
    return pack(reserved, value)
  } finally {
    isEncoding = before
  }
}

function pack(reserved: number, value: unknown): Uint8Array {
  if (reserved <= MAX_RESERVED) {
    return packr.pack(value, RESERVE_START_SPACE | RESET_BUFFER_MODE | reserved)
  }
  const body = packr.pack(value, RESET_BUFFER_MODE)
  const out = new Uint8Array(reserved + body.length)
  out.set(body, reserved)
  return out
}

/** Decodes message bodies of one trust level. */
export interface BodyDecoder {
  /** @throws RpcError `RPC_PROTOCOL` for anything but exactly one well-formed value from `start` to `end`, or to the end. */
  decode(message: Uint8Array, start: number, end?: number): unknown
}

// One range object for all calls: decoding never re-enters.
const range = { start: 0, end: 0 }

/** Above it a buffer is not kept for the next message. */
const MAX_KEPT_BYTES = 64 * 1024
let kept = new Uint8Array(0)

/** The whole buffer a message lies in: msgpackr makes a `DataView` for each array it is given, and a chunk has many. */
function wholeOf(message: Uint8Array): Uint8Array {
  const { buffer } = message
  if (kept.buffer === buffer) return kept
  if (buffer.byteLength > MAX_KEPT_BYTES || !(buffer instanceof ArrayBuffer)) return message
  kept = new Uint8Array(buffer)
  return kept
}

class TrustedDecoder implements BodyDecoder {
  readonly #unpackr = new Unpackr({ ...options })

  decode(message: Uint8Array, start: number, end: number = message.length): unknown {
    if (start >= end) throw new RpcError('RPC_PROTOCOL', 'the message has no body')
    const value = decodeQuick(message, start, end)
    if (value !== NOT_QUICK) return value
    const whole = wholeOf(message)
    const offset = whole === message ? 0 : message.byteOffset
    range.start = offset + start
    range.end = offset + end
    try {
      return this.#unpackr.unpack(whole, range) as unknown
    } catch (cause) {
      throw new RpcError('RPC_PROTOCOL', 'the message body is not MessagePack', { cause })
    }
  }
}

class UntrustedDecoder implements BodyDecoder {
  readonly #limits: DecodeLimits
  readonly #inner = new TrustedDecoder()

  constructor(limits: DecodeLimits) {
    this.#limits = limits
  }

  decode(message: Uint8Array, start: number, end: number = message.length): unknown {
    const wrong = preScan(message, start, end, this.#limits)
    if (wrong !== undefined) {
      throw new RpcError('RPC_PROTOCOL', `the message body is refused: ${wrong}`)
    }
    return this.#inner.decode(message, start, end)
  }
}

/** For proven servers. */
export const trustedDecoder = (): BodyDecoder => new TrustedDecoder()

/** For everybody else: nothing is built before {@link preScan} has seen all of it. */
export const untrustedDecoder = (limits: DecodeLimits): BodyDecoder => new UntrustedDecoder(limits)
