import { hash } from 'node:crypto'
import { addressPrefix } from './address-prefix.ts'
import {
  decodeHello,
  encodeRefuse,
  encodeRetry,
  isFirstHello,
  MIN_HELLO_BYTES,
  type Hello,
  type RefuseReason,
} from './datagram.ts'
import type { Endpoint } from './endpoint.ts'
import type { ResolvedLimits } from './listen-options.ts'
import { RateLimits } from './rate-limit.ts'
import { RetryBudget } from './retry-budget.ts'
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
  readonly #onFlood: (nowMs: number) => void
  readonly #tokens: RetryTokens
  readonly #retryBudget: RetryBudget
  readonly #handshakes: RateLimits
  readonly #accepted = new Map<string, Accepted>()

  /** @param onFlood - A hello was dropped as there are too many. */
  constructor(
    endpoint: Endpoint,
    limits: ResolvedLimits,
    accept: Accept,
    onFlood: (nowMs: number) => void,
  ) {
    this.#endpoint = endpoint
    this.#accept = accept
    this.#onFlood = onFlood
    this.#tokens = new RetryTokens(endpoint.clock, endpoint.random)
    this.#retryBudget = new RetryBudget(limits.maxRetriesPerSecond, endpoint.random, endpoint.now())
    this.#handshakes = new RateLimits(limits.maxHandshakesPerSecond, MAX_PREFIXES)
  }

  /** Takes a hello. Any bytes may come. */
  answer(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    const now = endpoint.now()
    // What a flood is made of goes before anything else is looked at.
    const isFirst = bytes.length >= MIN_HELLO_BYTES && isFirstHello(bytes)
    if (isFirst && !this.#retryBudget.admits(bytes, now)) {
      endpoint.drop('retryBudget')
      this.#onFlood(now)
      return
    }
    const hello = decodeHello(bytes)
    if (typeof hello === 'string') {
      endpoint.drop(hello)
      return
    }
    const { nonce, key } = hello
    if (hello.token.length === 0) {
      // Whoever sent this may have forged the address: no memory, and a bounded number of small answers.
      this.#retryBudget.take(bytes, now)
      const retry = encodeRetry(nonce, this.#tokens.make({ address, port, nonce, key }))
      endpoint.counters.retries += 1
      endpoint.send(retry, 0, retry.length, address, port)
      return
    }
    if (!this.#tokens.check(hello.token, { address, port, nonce, key })) {
      endpoint.drop('badToken')
      return
    }
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
    const refuse = encodeRefuse(nonce, answer)
    endpoint.send(refuse, 0, refuse.length, address, port)
  }

  /** Forgets what is past. */
  expire(nowMs: number): void {
    this.#retryBudget.expire(nowMs)
    for (const [key, { untilMs }] of this.#accepted) {
      if (untilMs > nowMs) return
      this.#accepted.delete(key)
    }
  }
}
