import { SERVER_MESSAGE_BYTES } from './limits.ts'

/** Ceilings on a message body from an untrusted peer, checked before anything is built from it. */
export interface DecodeLimits {
  /** Arrays and maps inside one another. At most 32. @defaultValue 16 */
  readonly maxDepth: number
  /** Values of all kinds, map keys included. @defaultValue 4096 */
  readonly maxTokens: number
  /** @defaultValue 8192 */
  readonly maxStringBytes: number
  /** Also of typed arrays. @defaultValue 16384 */
  readonly maxBinaryBytes: number
  /** @defaultValue 2048 */
  readonly maxArrayLength: number
  /** @defaultValue 256 */
  readonly maxMapLength: number
  /** @defaultValue 128 */
  readonly maxKeyBytes: number
}

export const DECODE_LIMITS: DecodeLimits = {
  maxDepth: 16,
  maxTokens: 4096,
  maxStringBytes: 8192,
  maxBinaryBytes: 16384,
  maxArrayLength: 2048,
  maxMapLength: 256,
  maxKeyBytes: 128,
}

/** For what a node asked for itself, from a peer that has not proven to be a server: long lists are normal there. */
export const DIALLED_DECODE_LIMITS: DecodeLimits = {
  maxDepth: 32,
  maxTokens: 1_000_000,
  maxStringBytes: SERVER_MESSAGE_BYTES,
  maxBinaryBytes: SERVER_MESSAGE_BYTES,
  maxArrayLength: 1_000_000,
  maxMapLength: 100_000,
  maxKeyBytes: 1024,
}
