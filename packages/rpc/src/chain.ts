import { putU32, putVarint, varintSize } from './byte-writer.ts'
import { ByteReader } from './byte-reader.ts'

/**
 * The handlers behind a call that hold a mailbox, outermost first: each waits for the next one, the last one for the
 * call. Servers carry it from call to call, so that a mailbox knows the chain that comes back to it.
 */
export type Chain = readonly number[]

export const NO_CHAIN: Chain = []
/** What a chain remembers: its last so many handlers. */
const MAX_CHAIN = 64
const COUNTER_LIMIT = 2 ** 31
const PREFIX_BITS = 22
const ID_BYTES = 8
const EXTRA_CHAIN = 1

/** Gives the running handlers of one node numbers that no other node gives. Whole numbers below 2^53. */
export class FrameIds {
  readonly #base: number
  #last = 0

  /** @param name - Unique to this start of the node. */
  constructor(name: string) {
    // FNV-1a
    let hash = 0x811c9dc5
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    }
    this.#base = (hash >>> (32 - PREFIX_BITS)) * COUNTER_LIMIT
  }

  next(): number {
    this.#last = (this.#last + 1) % COUNTER_LIMIT
    return this.#base + this.#last
  }
}

/** The chain of the calls that a handler makes. */
export const extend = (chain: Chain, frameId: number): Chain =>
  chain.length < MAX_CHAIN ? [...chain, frameId] : [...chain.slice(1), frameId]

/** The extras of a call: each a byte of type, a varint length, and that many bytes. */
export function encodeExtras(chain: Chain): Uint8Array {
  const size = chain.length * ID_BYTES
  const inner = 1 + varintSize(size) + size
  const out = new Uint8Array(varintSize(inner) + inner)
  let at = putVarint(out, 0, inner)
  out[at++] = EXTRA_CHAIN
  at = putVarint(out, at, size)
  for (const id of chain) at = putU32(out, putU32(out, at, id % 2 ** 32), Math.floor(id / 2 ** 32))
  return out
}

/** Reads the chain out of extras; whatever else they hold is skipped, whatever is malformed is no chain. */
export function decodeExtras(bytes: Uint8Array): Chain {
  const reader = new ByteReader().reset(bytes)
  while (reader.at < bytes.length) {
    const type = reader.u8()
    const length = reader.varint()
    const item = reader.raw(length)
    if (reader.bad) return NO_CHAIN
    if (type !== EXTRA_CHAIN) continue
    if (length % ID_BYTES !== 0 || length > MAX_CHAIN * ID_BYTES) return NO_CHAIN
    const ids = new ByteReader().reset(item)
    return Array.from({ length: length / ID_BYTES }, () => ids.u32() + ids.u32() * 2 ** 32)
  }
  return NO_CHAIN
}
