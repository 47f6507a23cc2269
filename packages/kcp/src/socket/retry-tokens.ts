import { createHmac } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { MAX_DATAGRAM_BYTES } from './datagram.ts'
import { keyWords, siphash24 } from './siphash.ts'

/** A token is good for one to two of these. */
const PERIOD_MS = 5000
export const TOKEN_KEY_BYTES = 32
const MAC_BYTES = 16
const KEY_WORDS = 4
/** Of the text of an address and a port no more counts: those of IP are a fourth of it. */
const ENDPOINT_BYTES = 256

/** What a token is bound to. */
export interface TokenSubject {
  readonly address: string
  readonly port: number
  readonly nonce: Uint8Array
  /** Of the key exchange. */
  readonly key: Uint8Array
}

/**
 * Proof that a client receives at the address it sends from, kept by the client and not by us: a keyed hash of
 * the address and what its hello said, under a secret that is replaced every 5 s and good for one period more.
 * SipHash, as for the cookies of TCP, under two keys at once: 1.6 us, where an HMAC through `node:crypto` takes 5,
 * and hellos come in floods. The secret of a period comes from one key by HMAC, so that all who have the key and
 * the time take each other's tokens.
 */
export class RetryTokens {
  readonly #clock: Pick<Clock, 'now'>
  readonly #key: Uint8Array
  #period = -1
  /** Of this period and the one before. */
  #secrets: readonly (readonly number[])[] = []

  /** @param key - 32 random bytes. */
  constructor(clock: Pick<Clock, 'now'>, key: Uint8Array) {
    this.#clock = clock
    this.#key = key
  }

  make(subject: TokenSubject): Uint8Array {
    return macOf(this.#current()[0]!, subject)
  }

  check(token: Uint8Array, subject: TokenSubject): boolean {
    if (token.length !== MAC_BYTES) return false
    return this.#current().some((secret) => isSame(macOf(secret, subject), token))
  }

  #current(): readonly (readonly number[])[] {
    const period = Math.floor(this.#clock.now() / PERIOD_MS)
    if (period !== this.#period) {
      this.#period = period
      this.#secrets = [secretOf(this.#key, period), secretOf(this.#key, period - 1)]
    }
    return this.#secrets
  }
}

/** Two keys of SipHash. */
function secretOf(key: Uint8Array, period: number): readonly number[] {
  const mac = createHmac('sha256', key).update(String(period)).digest()
  return keyWords(mac.subarray(0, 2 * KEY_WORDS * 4))
}

const encoder = new TextEncoder()
const message = new Uint8Array(MAX_DATAGRAM_BYTES + ENDPOINT_BYTES)
const endpoint = message.subarray(0, ENDPOINT_BYTES)
const half = new Int32Array(2)

function macOf(secret: readonly number[], { address, port, nonce, key }: TokenSubject): Uint8Array {
  // A nonce has one length, so where the address ends and the key begins is never in doubt.
  let end = encoder.encodeInto(`${address} ${port} `, endpoint).written
  message.set(nonce, end)
  end += nonce.length
  message.set(key, end)
  end += key.length
  const mac = new Int32Array(MAC_BYTES / 4)
  for (const index of [0, 1]) {
    siphash24(secret, index * KEY_WORDS, message, 0, end, half)
    mac.set(half, index * 2)
  }
  return new Uint8Array(mac.buffer)
}

/** In a time that tells nothing about where they differ. */
function isSame(mac: Uint8Array, token: Uint8Array): boolean {
  let difference = 0
  for (let index = 0; index < MAC_BYTES; index += 1) difference |= mac[index]! ^ token[index]!
  return difference === 0
}
