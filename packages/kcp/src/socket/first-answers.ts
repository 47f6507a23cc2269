import { decodeHello, encodeRetry, isFirstHello, MIN_HELLO_BYTES, type Hello } from './datagram.ts'
import type { Endpoint } from './endpoint.ts'
import type { RetryBudget } from './flood/retry-budget.ts'
import type { RetryTokens } from './retry-tokens.ts'

/**
 * The half of a handshake that keeps nothing of the client: a first hello gets a token, or is dropped when there
 * are too many of them, and one that brings a good token passes.
 */
export class FirstAnswers {
  readonly #out: Pick<Endpoint, 'counters' | 'drop' | 'send'>
  readonly #tokens: RetryTokens
  readonly #budget: RetryBudget
  readonly #onFlood: (nowMs: number) => void

  /** @param onFlood - A hello was dropped as there are too many. */
  constructor(
    out: Pick<Endpoint, 'counters' | 'drop' | 'send'>,
    tokens: RetryTokens,
    budget: RetryBudget,
    onFlood: (nowMs: number) => void,
  ) {
    this.#out = out
    this.#tokens = tokens
    this.#budget = budget
    this.#onFlood = onFlood
  }

  /**
   * Takes a hello. Any bytes may come.
   *
   * @returns The hello of a client whose address is proven; else it has been answered or dropped.
   */
  take(bytes: Uint8Array, address: string, port: number, nowMs: number): Hello | undefined {
    const out = this.#out
    // What a flood is made of goes before anything else is looked at.
    const isFirst = bytes.length >= MIN_HELLO_BYTES && isFirstHello(bytes)
    if (isFirst && !this.#budget.admits(bytes, nowMs)) {
      out.drop('retryBudget')
      this.#onFlood(nowMs)
      return undefined
    }
    const hello = decodeHello(bytes)
    if (typeof hello === 'string') {
      out.drop(hello)
      return undefined
    }
    const { nonce, key, token } = hello
    const subject = { address, port, nonce, key }
    if (token.length > 0) {
      if (this.#tokens.check(token, subject)) return hello
      out.drop('badToken')
      return undefined
    }
    // Whoever sent this may have forged the address: no memory, and a bounded number of small answers.
    this.#budget.take(bytes, nowMs)
    const retry = encodeRetry(nonce, this.#tokens.make(subject))
    out.counters.retries += 1
    out.send(retry, 0, retry.length, address, port)
    return undefined
  }

  /** Gives memory back once a flood is over. */
  expire(nowMs: number): void {
    this.#budget.expire(nowMs)
  }
}
