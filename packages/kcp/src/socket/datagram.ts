import type { DropReason } from './counters.ts'

/**
 * What the safe mode puts on the wire. Numbers are little endian. The first byte says the kind.
 *
 * | handshake | layout after the kind |
 * |---|---|
 * | HELLO | `4B 43 50` version, nonce 8, flags, idle u32, window u16, token length u8, token, key length u16, key, padding |
 * | RETRY | nonce 8, token |
 * | ACCEPT | nonce 8, conv u32, reply length u16, reply, then sealed: idle u32, window u16, acknowledgement delay u16 |
 * | REFUSE | nonce 8, reason u8 |
 *
 * Every other datagram: conv u32, counter u48, sealed body. The kind, conv and counter are authenticated with it.
 */
export const KIND = {
  hello: 1,
  retry: 2,
  accept: 3,
  refuse: 4,
  /** KCP segments. */
  kcp: 16,
  /** One message that may be lost. */
  unreliable: 17,
  /** id u16, index u8, whole length u16, bytes: half of KCP segments too large for the path. */
  part: 18,
  /** token u32, padding: answered by `pong`. */
  ping: 19,
  /** The token. */
  pong: 20,
  /** 8 random bytes: answered by `pathResponse` from where it was sent to. */
  pathChallenge: 21,
  /** The same 8 bytes. */
  pathResponse: 22,
  /** flags u8, code u16, reason: all data before it has arrived, or with the flag `reset`, is given up. */
  close: 23,
  /** Answers `close`. */
  closed: 24,
  /** KCP segments from a listener that is busy: their acknowledgements may wait for the delay named in ACCEPT. */
  kcpUnhurried: 25,
} as const

export const FIRST_SEALED_KIND: number = KIND.kcp
export const LAST_SEALED_KIND: number = KIND.kcpUnhurried
/** Kind and conv. */
const CONV_END = 5
/** Kind, conv, counter. */
export const HEADER_BYTES = 11
export const NONCE_BYTES = 8
const PROTOCOL_VERSION = 1
/** A smaller hello is refused, so that no answer is larger than its question. */
export const MIN_HELLO_BYTES = 256
/** Nothing larger is sent or taken. */
export const MAX_DATAGRAM_BYTES = 1500
/** The handshake of a `KcpSecurity` may need so much in each direction. */
const MAX_KEY_BYTES = 900
export const CLOSE_FLAG_RESET = 1
export const MAX_REASON_BYTES = 200
/** Of the sealed part of ACCEPT: idle u32, window u16, acknowledgement delay u16. */
export const ACCEPT_BODY_BYTES = 8

const MAGIC = [0x4b, 0x43, 0x50, PROTOCOL_VERSION] as const
/** In a hello: behind its kind and the magic. */
export const HELLO_NONCE_AT = 5
/** Up to the token length. */
const HELLO_FIXED_BYTES = 1 + 4 + NONCE_BYTES + 1 + 4 + 2 + 1
const ACCEPT_FIXED_BYTES = 1 + NONCE_BYTES + 4 + 2

export interface Hello {
  readonly nonce: Uint8Array
  readonly flags: number
  readonly idleTimeoutMs: number
  /** Receive window in segments. */
  readonly window: number
  /** Empty in the first hello. */
  readonly token: Uint8Array
  /** Of the key exchange. */
  readonly key: Uint8Array
}

export type HelloProblem = 'helloTooShort' | 'helloMalformed' | 'helloVersion'

/** A hello, padded. */
export function encodeHello(hello: Hello): Uint8Array {
  const used = HELLO_FIXED_BYTES + hello.token.length + 2 + hello.key.length
  // ACCEPT carries a reply of about the key's size and must not be larger than the hello.
  const bytes = new Uint8Array(Math.max(MIN_HELLO_BYTES, used + 64))
  bytes[0] = KIND.hello
  bytes.set(MAGIC, 1)
  bytes.set(hello.nonce, HELLO_NONCE_AT)
  bytes[13] = hello.flags
  writeU32(bytes, 14, hello.idleTimeoutMs)
  writeU16(bytes, 18, hello.window)
  bytes[20] = hello.token.length
  bytes.set(hello.token, 21)
  const at = 21 + hello.token.length
  writeU16(bytes, at, hello.key.length)
  bytes.set(hello.key, at + 2)
  return bytes
}

/** What a listener does with a datagram: looks at it as a hello, as one of a session, or drops it. */
export function classify(bytes: Uint8Array): 'hello' | 'sealed' | DropReason {
  if (bytes.length > MAX_DATAGRAM_BYTES) return 'tooLong'
  if (bytes.length === 0) return 'tooShort'
  const kind = bytes[0]!
  if (kind === KIND.hello) return 'hello'
  if (kind < FIRST_SEALED_KIND || kind > LAST_SEALED_KIND) return 'unknownKind'
  return bytes.length < CONV_END ? 'tooShort' : 'sealed'
}

/** Whether bytes of a hello, at least `MIN_HELLO_BYTES` of them, carry no token. */
export const isFirstHello = (bytes: Uint8Array): boolean => bytes[HELLO_FIXED_BYTES - 1] === 0

/** Total: any bytes give a hello or a reason why not. Nothing is copied. */
export function decodeHello(bytes: Uint8Array): Hello | HelloProblem {
  if (bytes.length < MIN_HELLO_BYTES) return 'helloTooShort'
  if (bytes[1] !== MAGIC[0] || bytes[2] !== MAGIC[1] || bytes[3] !== MAGIC[2])
    return 'helloMalformed'
  if (bytes[4] !== PROTOCOL_VERSION) return 'helloVersion'
  const keyAt = HELLO_FIXED_BYTES + bytes[20]! + 2
  if (keyAt > bytes.length) return 'helloMalformed'
  const keyLength = readU16(bytes, keyAt - 2)
  if (keyLength > MAX_KEY_BYTES || keyAt + keyLength > bytes.length) return 'helloMalformed'
  const idleTimeoutMs = readU32(bytes, 14)
  const window = readU16(bytes, 18)
  if (idleTimeoutMs === 0 || window === 0) return 'helloMalformed'
  return {
    nonce: bytes.subarray(HELLO_NONCE_AT, HELLO_NONCE_AT + NONCE_BYTES),
    flags: bytes[13]!,
    idleTimeoutMs,
    window,
    token: bytes.subarray(HELLO_FIXED_BYTES, keyAt - 2),
    key: bytes.subarray(keyAt, keyAt + keyLength),
  }
}

export function encodeRetry(nonce: Uint8Array, token: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + NONCE_BYTES + token.length)
  bytes[0] = KIND.retry
  bytes.set(nonce, 1)
  bytes.set(token, 1 + NONCE_BYTES)
  return bytes
}

/** The token of a RETRY that answers this nonce. */
export function decodeRetry(bytes: Uint8Array, nonce: Uint8Array): Uint8Array | undefined {
  const length = bytes.length - 1 - NONCE_BYTES
  if (length < 1 || length > 255 || !answers(bytes, nonce)) return undefined
  return bytes.slice(1 + NONCE_BYTES)
}

/** Why a listener does not want a client, as REFUSE tells it. */
export type RefuseReason = 'refused' | 'full' | 'busy' | 'key'
const REFUSE_REASONS: readonly RefuseReason[] = ['refused', 'full', 'busy', 'key']

export function encodeRefuse(nonce: Uint8Array, reason: RefuseReason): Uint8Array {
  const bytes = new Uint8Array(2 + NONCE_BYTES)
  bytes[0] = KIND.refuse
  bytes.set(nonce, 1)
  bytes[1 + NONCE_BYTES] = REFUSE_REASONS.indexOf(reason)
  return bytes
}

export function decodeRefuse(bytes: Uint8Array, nonce: Uint8Array): RefuseReason | undefined {
  if (bytes.length !== 2 + NONCE_BYTES || !answers(bytes, nonce)) return undefined
  return REFUSE_REASONS[bytes[1 + NONCE_BYTES]!] ?? 'refused'
}

/** The open part of ACCEPT with room for the sealed part behind it. */
export function encodeAcceptHeader(
  nonce: Uint8Array,
  conv: number,
  reply: Uint8Array,
  roomBytes: number,
): { readonly bytes: Uint8Array; readonly bodyStart: number } {
  const bodyStart = ACCEPT_FIXED_BYTES + reply.length
  const bytes = new Uint8Array(bodyStart + roomBytes)
  bytes[0] = KIND.accept
  bytes.set(nonce, 1)
  writeU32(bytes, 9, conv)
  writeU16(bytes, 13, reply.length)
  bytes.set(reply, ACCEPT_FIXED_BYTES)
  return { bytes, bodyStart }
}

export interface AcceptHeader {
  readonly conv: number
  readonly reply: Uint8Array
  readonly bodyStart: number
}

export function decodeAcceptHeader(bytes: Uint8Array, nonce: Uint8Array): AcceptHeader | undefined {
  if (bytes.length < ACCEPT_FIXED_BYTES || !answers(bytes, nonce)) return undefined
  const bodyStart = ACCEPT_FIXED_BYTES + readU16(bytes, 13)
  const conv = readU32(bytes, 9)
  if (bodyStart > bytes.length || conv === 0) return undefined
  return { conv, reply: bytes.subarray(ACCEPT_FIXED_BYTES, bodyStart), bodyStart }
}

/** Writes kind, conv and counter. */
export function writeHeader(
  bytes: Uint8Array,
  offset: number,
  kind: number,
  conv: number,
  counter: number,
): void {
  bytes[offset] = kind
  bytes[offset + 1] = conv
  bytes[offset + 2] = conv >>> 8
  bytes[offset + 3] = conv >>> 16
  bytes[offset + 4] = conv >>> 24
  const high = Math.floor(counter / 0x1_0000_0000)
  bytes[offset + 5] = counter
  bytes[offset + 6] = counter >>> 8
  bytes[offset + 7] = counter >>> 16
  bytes[offset + 8] = counter >>> 24
  bytes[offset + 9] = high
  bytes[offset + 10] = high >>> 8
}

export const readConv = (bytes: Uint8Array): number => readU32(bytes, 1)

export const readCounter = (bytes: Uint8Array): number =>
  readU32(bytes, 5) + (bytes[9]! | (bytes[10]! << 8)) * 0x1_0000_0000

export const readU16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8)

export const readU32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** Whether an answer carries the nonce of the question. */
function answers(bytes: Uint8Array, nonce: Uint8Array): boolean {
  for (let i = 0; i < NONCE_BYTES; i += 1) if (bytes[1 + i] !== nonce[i]) return false
  return true
}
