import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

/** A token is good for one to two of these. */
const ROTATION_MS = 5000
const MAC_BYTES = 16
const SECRET_BYTES = 32

/** What a token is bound to. */
export interface TokenSubject {
  readonly address: string
  readonly port: number
  readonly nonce: Uint8Array
  /** Of the key exchange. */
  readonly key: Uint8Array
}

/**
 * Proof that a client receives at the address it sends from, kept by the client and not by us: an HMAC over
 * the address and what its hello said, under a secret that is replaced every 5 s and good for one period more.
 */
export class RetryTokens {
  readonly #clock: Pick<Clock, 'now'>
  readonly #random: Random
  #secrets: [current: KeyObject, previous: KeyObject]
  #rotateAtMs: number

  constructor(clock: Pick<Clock, 'now'>, random: Random) {
    this.#clock = clock
    this.#random = random
    this.#secrets = [this.#draw(), this.#draw()]
    this.#rotateAtMs = clock.now() + ROTATION_MS
  }

  make(subject: TokenSubject): Uint8Array {
    this.#rotate()
    return macOf(this.#secrets[0], subject)
  }

  check(token: Uint8Array, subject: TokenSubject): boolean {
    if (token.length !== MAC_BYTES) return false
    this.#rotate()
    return this.#secrets.some((secret) => timingSafeEqual(macOf(secret, subject), token))
  }

  #rotate(): void {
    const late = this.#clock.now() - this.#rotateAtMs
    if (late < 0) return
    const fresh = this.#draw()
    // After a pause of a whole period the newest secret is too old as well.
    this.#secrets = [fresh, late < ROTATION_MS ? this.#secrets[0] : this.#draw()]
    this.#rotateAtMs += ROTATION_MS * (Math.floor(late / ROTATION_MS) + 1)
  }

  /** A key object: `createHmac` makes one of bytes each time, at several times the price of the HMAC. */
  #draw(): KeyObject {
    return createSecretKey(this.#random(SECRET_BYTES))
  }
}

function macOf(secret: KeyObject, { address, port, nonce, key }: TokenSubject): Uint8Array {
  return createHmac('sha256', secret)
    .update(`${address} ${port} `)
    .update(nonce)
    .update(key)
    .digest()
    .subarray(0, MAC_BYTES)
}
