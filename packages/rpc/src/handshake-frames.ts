import { ByteReader } from './byte-reader.ts'
import { concat, encodeString, putU32, putVarint, utf8, varintSize } from './byte-writer.ts'
import type { CallerKind } from './remote-types.ts'
import { KIND, MAX_NAME_BYTES } from './wire.ts'

export const NONCE_BYTES = 32
const MAX_PROOF_BYTES = 1024
const MAGIC = utf8('RTS')
const LABEL = utf8('rts-rpc cluster handshake 1')
const CLAIM = { server: 1, canProve: 2, admin: 4 } as const
/** A welcome names what is granted by its place here. */
const GRANTS: readonly CallerKind[] = ['player', 'server', 'admin']

/** Who a node says it is. */
export interface Identity {
  readonly id: string
  readonly role: string
  readonly epoch: string
}

export interface Hello extends Identity {
  readonly minVersion: number
  readonly maxVersion: number
  /** Wants to be a server here. */
  readonly claimsServer: boolean
  /** Wants to be an admin here. */
  readonly claimsAdmin: boolean
  /** Holds a key to prove it with. */
  readonly canProve: boolean
  /** The largest message it takes, once trusted. */
  readonly maxMessageBytes: number
  readonly nonce: Uint8Array
}

export interface Challenge extends Identity {
  readonly version: number
  readonly nonce: Uint8Array
}

export interface Welcome extends Identity {
  readonly version: number
  readonly granted: CallerKind
  readonly maxMessageBytes: number
  /** Empty when the listener proves nothing. */
  readonly proof: Uint8Array
}

const identityBytes = ({ id, role, epoch }: Identity): Uint8Array =>
  concat(encodeString(id), encodeString(role), encodeString(epoch))

export function encodeHello(hello: Hello): Uint8Array {
  const claims =
    (hello.claimsServer ? CLAIM.server : 0) |
    (hello.canProve ? CLAIM.canProve : 0) |
    (hello.claimsAdmin ? CLAIM.admin : 0)
  const head = Uint8Array.of(KIND.hello, ...MAGIC, hello.minVersion, hello.maxVersion, claims)
  return concat(head, u32(hello.maxMessageBytes), identityBytes(hello), hello.nonce)
}

export function decodeHello(frame: Uint8Array): Hello | undefined {
  const reader = new ByteReader().reset(frame)
  if (reader.u8() !== KIND.hello) return undefined
  if (!MAGIC.every((byte) => reader.u8() === byte)) return undefined
  const minVersion = reader.u8()
  const maxVersion = reader.u8()
  const claims = reader.u8()
  const maxMessageBytes = reader.u32()
  const identity = readIdentity(reader)
  const nonce = reader.raw(NONCE_BYTES).slice()
  if (!isWhole(reader)) return undefined
  return {
    ...identity,
    minVersion,
    maxVersion,
    claimsServer: (claims & CLAIM.server) !== 0,
    claimsAdmin: (claims & CLAIM.admin) !== 0,
    canProve: (claims & CLAIM.canProve) !== 0,
    maxMessageBytes,
    nonce,
  }
}

export function encodeChallenge(challenge: Challenge): Uint8Array {
  const head = Uint8Array.of(KIND.challenge, challenge.version)
  return concat(head, identityBytes(challenge), challenge.nonce)
}

export function decodeChallenge(frame: Uint8Array): Challenge | undefined {
  const reader = new ByteReader().reset(frame)
  if (reader.u8() !== KIND.challenge) return undefined
  const version = reader.u8()
  const identity = readIdentity(reader)
  const nonce = reader.raw(NONCE_BYTES).slice()
  return isWhole(reader) ? { ...identity, version, nonce } : undefined
}

export const encodeProof = (proof: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(KIND.proof), prefixed(proof))

export function decodeProof(frame: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader().reset(frame)
  if (reader.u8() !== KIND.proof) return undefined
  const proof = readProof(reader)
  return isWhole(reader) ? proof : undefined
}

export function encodeWelcome(welcome: Welcome): Uint8Array {
  const head = Uint8Array.of(KIND.welcome, welcome.version, GRANTS.indexOf(welcome.granted))
  const limit = u32(welcome.maxMessageBytes)
  return concat(head, limit, identityBytes(welcome), prefixed(welcome.proof))
}

export function decodeWelcome(frame: Uint8Array): Welcome | undefined {
  const reader = new ByteReader().reset(frame)
  if (reader.u8() !== KIND.welcome) return undefined
  const version = reader.u8()
  const granted = GRANTS[reader.u8()] ?? 'player'
  const maxMessageBytes = reader.u32()
  const identity = readIdentity(reader)
  const proof = readProof(reader)
  return isWhole(reader) ? { ...identity, version, granted, maxMessageBytes, proof } : undefined
}

/**
 * What a proof is made over: both opening frames whole, so both nonces, names, claims and versions, and who
 * proves. The same bytes never ask for a proof of the other direction, so none can be played back.
 */
export function transcript(
  prover: 'dialer' | 'listener',
  hello: Uint8Array,
  challenge: Uint8Array,
): Uint8Array {
  const direction = Uint8Array.of(prover === 'dialer' ? 1 : 2)
  return concat(prefixed(LABEL), direction, prefixed(hello), prefixed(challenge))
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  putU32(out, 0, value)
  return out
}

function prefixed(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(varintSize(bytes.length) + bytes.length)
  out.set(bytes, putVarint(out, 0, bytes.length))
  return out
}

function readIdentity(reader: ByteReader): Identity {
  const id = reader.string(MAX_NAME_BYTES)
  const role = reader.string(MAX_NAME_BYTES)
  const epoch = reader.string(MAX_NAME_BYTES)
  return { id, role, epoch }
}

function readProof(reader: ByteReader): Uint8Array {
  const length = reader.varint()
  return length > MAX_PROOF_BYTES ? reader.raw(Infinity) : reader.raw(length).slice()
}

const isWhole = (reader: ByteReader): boolean => !reader.bad && reader.at === reader.end
