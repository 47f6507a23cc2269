import { siphash24Js } from './siphash-js.ts'
import { siphash24Wasm } from './siphash-wasm.ts'

/**
 * SipHash-2-4 of `bytes[offset, end)` under a 128-bit key, written to `out` as two 32-bit halves.
 *
 * A keyed pseudo-random function made for short inputs: on game-sized datagrams many times cheaper than
 * an HMAC through `node:crypto`, whose price is mostly the call.
 *
 * @param key - Little-endian words; four of them, from `keyAt` on, are the key.
 * @param bytes - At most 65,000 of them.
 * @param out - Takes the low and the high half.
 * @see Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
export type SipHash = (
  key: readonly number[],
  keyAt: number,
  bytes: Uint8Array,
  offset: number,
  end: number,
  out: Int32Array,
) => void

/**
 * Bytes as words of a key. A plain array: a typed one has two more objects to fetch before its first number, and the
 * keys of a conversation are needed with each of its datagrams.
 */
export const keyWords = (bytes: Uint8Array): readonly number[] => [
  ...new Int32Array(Uint8Array.from(bytes).buffer),
]

export const siphash24: SipHash = siphash24Wasm() ?? siphash24Js
