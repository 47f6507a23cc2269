import { authenticated } from '../../src/index.ts'
import { encodeHello } from '../../src/socket/datagram.ts'

/** What a client offers of the key exchange. */
const KEY: Uint8Array = authenticated().begin((n) => new Uint8Array(n).fill(7)).hello

/** A hello as a client writes it; a first one, unless it brings a token. */
export const helloOf = (nonce: Uint8Array, token: Uint8Array = new Uint8Array(0)): Uint8Array =>
  encodeHello({ nonce, flags: 0, idleTimeoutMs: 30_000, window: 256, token, key: KEY })
