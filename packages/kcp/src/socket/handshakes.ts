import { hash } from 'node:crypto'
import { addressPrefix } from './address-prefix.ts'
import { encodeRefuse, type Hello, type RefuseReason } from './datagram.ts'
import type { Endpoint } from './endpoint.ts'
import { FirstAnswers } from './first-answers.ts'
import type { ResolvedLimits } from './listen-options.ts'
import { RateLimits } from './rate-limit.ts'
import { RetryBudget } from './flood/retry-budget.ts'
import { RetryTokens } from './retry-tokens.ts'

/** Networks whose rate of handshakes is remembered. */
const MAX_PREFIXES = 8192
/** A hello with a token is answered by the same ACCEPT for so long: as long as a token is good. */
const ACCEPT_CACHE_MS = 10_000

/** The same ACCEPT for the same hello, whether its session still lives or not. */
interface Accepted {
  readonly answer: Uint8Array
  readonly untilMs: number
}

/** Makes the ACCEPT of a session for a client whose address is proven, or says why there is none. */
export type Accept = (
  hello: Hello,
  transcript: Uint8Array,
  address: string,
  port: number,
  nowMs: number,
) => Uint8Array | RefuseReason

/** What a listener answers to hellos: a token, then a session, and no more of either than it has the time for. */
export class Handshakes {
  readonly #endpoint: Endpoint
  readonly #accept: Accept
  readonly #first: FirstAnswers
  readonly #handshakes: RateLimits
  readonly #accepted = new Map<string, Accepted>()

  /**
   * @param tokenKey - Of the tokens that prove an address.
   * @param onFlood - A hello was dropped as there are too many.
   */
  constructor(
    endpoint: Endpoint,
    limits: ResolvedLimits,
    tokenKey: Uint8Array,
    accept: Accept,
    onFlood: (nowMs: number) => void,
  ) {
    const { clock, random } = endpoint
    this.#endpoint = endpoint
    this.#accept = accept
    const budget = new RetryBudget(limits.maxRetriesPerSecond, random, endpoint.now())
    this.#first = new FirstAnswers(endpoint, new RetryTokens(clock, tokenKey), budget, onFlood)
    this.#handshakes = new RateLimits(limits.maxHandshakesPerSecond, MAX_PREFIXES)
  }

  /** Takes a hello. Any bytes may come. */
  answer(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    const now = endpoint.now()
    const hello = this.#first.take(bytes, address, port, now)
    if (hello === undefined) return
    // The very same again is the same client, whose ACCEPT was lost.
    const cacheKey = `${address} ${port} ${hash('sha256', bytes)}`
    const accepted = this.#accepted.get(cacheKey)
    if (accepted !== undefined) {
      endpoint.send(accepted.answer, 0, accepted.answer.length, address, port)
      return
    }
    if (!this.#handshakes.take(addressPrefix(address), now)) {
      endpoint.drop('handshakeRate')
      return
    }
    const answer = this.#accept(hello, bytes, address, port, now)
    if (typeof answer !== 'string') {
      this.#accepted.set(cacheKey, { answer, untilMs: now + ACCEPT_CACHE_MS })
      endpoint.send(answer, 0, answer.length, address, port)
      return
    }
    endpoint.drop(answer === 'full' ? 'full' : 'refused')
    const refuse = encodeRefuse(hello.nonce, answer)
    endpoint.send(refuse, 0, refuse.length, address, port)
  }

  /** Forgets what is past. */
  expire(nowMs: number): void {
    this.#first.expire(nowMs)
    for (const [key, { untilMs }] of this.#accepted) {
      if (untilMs > nowMs) return
      this.#accepted.delete(key)
    }
  }
}
