import { crc32 } from 'node:zlib'
import { readU32, writeU32 } from '../datagram.ts'
import type { RawOptions } from './options.ts'

/** 16 random bytes and a CRC-32. */
const ENVELOPE_BYTES = 20
const NONCE_BYTES = 16
/** Random bytes are drawn for many datagrams at once. */
const NONCES_AT_ONCE = 64

export const envelopeBytes = ({ envelope }: RawOptions): number =>
  envelope === 'crc' ? ENVELOPE_BYTES : 0

/** Where the KCP bytes of a datagram begin; -1 when its checksum does not fit. */
export function openEnvelope(bytes: Uint8Array, { envelope }: RawOptions): number {
  if (envelope !== 'crc') return 0
  if (bytes.length < ENVELOPE_BYTES) return -1
  const sum = readU32(bytes, NONCE_BYTES)
  return crc32(bytes.subarray(ENVELOPE_BYTES)) === sum ? ENVELOPE_BYTES : -1
}

/** Writes what stands before the KCP bytes of a datagram. */
export class EnvelopeWriter {
  readonly #random: (bytes: number) => Uint8Array
  #nonces: Uint8Array = new Uint8Array(0)
  #nonceAt = 0

  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random
  }

  /** Into the `ENVELOPE_BYTES` before `offset`. Returns where the datagram begins. */
  write(bytes: Uint8Array, offset: number, length: number): number {
    if (this.#nonceAt === this.#nonces.length) {
      this.#nonces = this.#random(NONCE_BYTES * NONCES_AT_ONCE)
      this.#nonceAt = 0
    }
    const from = offset - ENVELOPE_BYTES
    bytes.set(this.#nonces.subarray(this.#nonceAt, this.#nonceAt + NONCE_BYTES), from)
    this.#nonceAt += NONCE_BYTES
    writeU32(bytes, from + NONCE_BYTES, crc32(bytes.subarray(offset, offset + length)))
    return from
  }
}
