import type { Random } from '../../random.ts'
import { HELLO_NONCE_AT, NONCE_BYTES } from '../datagram.ts'
import { RateLimit } from '../rate-limit.ts'
import { RecentHashes } from './recent-hashes.ts'
import { keyWords, siphash24 } from '../siphash.ts'

/** Of the answers of a second, those that may be given at once: an answer takes 15 us, and sessions wait meanwhile. */
const BURST_SHARE = 0.1
/** But so many may. */
const LEAST_BURST = 100
/** A hello that was answered stands back for the rest of such a span. */
const ANSWERED_MS = 1000
/** A flood is over when nothing was dropped for so long. */
export const FLOOD_CALM_MS = 10_000

/**
 * Which first hellos are answered when there are more than may be.
 *
 * A client repeats its hello, nonce and all, until it is answered; a flood of forged ones that did so would be
 * half a flood. So, from the moment the budget is spent until the flood is over, hellos are remembered by a
 * keyed hash of the nonce, and the lower half of the budget is for what comes again. Of a nonce that comes all
 * the time one hello a second is answered out of it. The address adds nothing to this: whoever forges one can
 * forge both, and of one nonce from many addresses the less is answered.
 */
export class RetryBudget {
  readonly #limit: RateLimit
  /** Left to hellos that come again. */
  readonly #reserve: number
  readonly #random: Random
  #key: readonly number[] = []
  readonly #hash = new Int32Array(2)
  #recent: RecentHashes | undefined
  #droppedMs = 0

  constructor(perSecond: number, random: Random, nowMs: number) {
    const burst = Math.min(perSecond, Math.max(LEAST_BURST, perSecond * BURST_SHARE))
    this.#limit = new RateLimit(perSecond, nowMs, burst)
    // One more than this must fit.
    this.#reserve = Math.max(0, (burst - 1) / 2)
    this.#random = random
  }

  /** Memory in use: none unless there is a flood. */
  get bytes(): number {
    return this.#recent?.bytes ?? 0
  }

  /** Whether a first hello may be answered; if not, it is remembered. */
  admits(hello: Uint8Array, nowMs: number): boolean {
    const reserve = this.#recent === undefined ? 0 : this.#reserve
    if (!this.#limit.isSpent(nowMs, reserve)) return true
    const recent = (this.#recent ??= this.#begin(nowMs))
    this.#droppedMs = nowMs
    const hash = this.#hashOf(hello)
    const [low, high] = [hash[0]!, hash[1]!]
    const mayUseReserve =
      recent.has(low, high, nowMs) &&
      !this.#limit.isSpent(nowMs) &&
      !recent.has(high + spanOf(nowMs), low, nowMs)
    if (!mayUseReserve) recent.add(low, high, nowMs)
    return mayUseReserve
  }

  /** A hello that was admitted is answered. */
  take(hello: Uint8Array, nowMs: number): void {
    this.#limit.take(nowMs)
    if (this.#recent === undefined) return
    const hash = this.#hashOf(hello)
    const [low, high] = [hash[0]!, hash[1]!]
    // The answer may be lost: it is known when it comes again, and stands back only for this span.
    this.#recent.add(low, high, nowMs)
    this.#recent.add(high + spanOf(nowMs), low, nowMs)
  }

  /** Gives the memory back once the flood is over. */
  expire(nowMs: number): void {
    if (nowMs - this.#droppedMs > FLOOD_CALM_MS) this.#recent = undefined
  }

  #begin(nowMs: number): RecentHashes {
    this.#key = keyWords(this.#random(16))
    return new RecentHashes(nowMs)
  }

  #hashOf(hello: Uint8Array): Int32Array {
    siphash24(this.#key, 0, hello, HELLO_NONCE_AT, HELLO_NONCE_AT + NONCE_BYTES, this.#hash)
    return this.#hash
  }
}

const spanOf = (nowMs: number): number => Math.floor(nowMs / ANSWERED_MS)
