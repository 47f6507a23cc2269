import { frameHere, callHere } from './call-context.ts'
import { timeoutOf, type CallOptions, type CallTarget, type SentOptions } from './call-target.ts'
import type { Clock } from './clock.ts'
import type { Counters } from './counters.ts'
import { RpcError } from './errors.ts'
import type { Random } from './random.ts'
import { isStream } from './stream-source.ts'
import type { Route } from './wire.ts'

/** What the targets of one node give to those that try again. */
export interface RetryHost {
  readonly clock: Clock
  readonly random: Random
  readonly counters: Counters
  readonly defaultTimeoutMs: number
}

const FIRST_DELAY_MS = 20
const MAX_DELAY_MS = 500
/** A target is tried again for a tenth of the calls made to it, and for so many at once. */
const SHARE = 0.1
const MAX_TOKENS = 10
const IDEMPOTENT_RETRIES = 2

/** Refusals that another attempt may not meet: they say nothing about the call itself. */
const MAY_PASS = new Set(['RPC_CLOSED', 'RPC_CONNECT_FAILED', 'RPC_OVERLOADED'])

/** Bounds the share of attempts that are repeated. */
class RetryBudget {
  #tokens = MAX_TOKENS

  deposit(): void {
    this.#tokens = Math.min(MAX_TOKENS, this.#tokens + SHARE)
  }

  take(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}

const budgets = new WeakMap<CallTarget, RetryBudget>()

function budgetOf(target: CallTarget): RetryBudget {
  let budget = budgets.get(target)
  if (budget === undefined) {
    budget = new RetryBudget()
    budgets.set(target, budget)
  }
  return budget
}

/** Whether these options ask for more than one attempt. */
export const asksForRetries = (options: CallOptions): boolean =>
  (options.retries ?? 0) > 0 ||
  options.whenFull === 'wait' ||
  (options.idempotent !== undefined && options.idempotent !== false)

/** Makes a call again that was surely not executed, or may be executed twice, within its one deadline. */
export class RetryingTarget implements CallTarget {
  readonly inner: CallTarget
  readonly #host: RetryHost
  readonly #retries: number | undefined
  readonly #idempotent: boolean | ReadonlySet<string>
  readonly #waits: boolean

  constructor(inner: CallTarget, host: RetryHost, options: CallOptions) {
    const { retries, idempotent = false, whenFull } = options
    if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0 && retries <= 100)) {
      throw new RangeError(`retries must be a whole number from 0 to 100, got ${retries}`)
    }
    this.inner = inner
    this.#host = host
    this.#retries = retries
    this.#idempotent = typeof idempotent === 'boolean' ? idempotent : new Set(idempotent)
    this.#waits = whenFull === 'wait'
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    // What has been read from a stream cannot be sent again.
    if (args.some(isStream)) return this.inner.call(route, entity, args, options)
    return this.#call(route, entity, args, options)
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    return this.inner.notify(route, entity, args, unreliable)
  }

  async #call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const { clock, counters, defaultTimeoutMs } = this.#host
    const budget = budgetOf(this.inner)
    budget.deposit()
    const from = options?.from ?? frameHere() ?? null
    const until = Math.min(
      clock.now() + timeoutOf(options, defaultTimeoutMs),
      callHere()?.deadline ?? Infinity,
    )
    const isIdempotent =
      typeof this.#idempotent === 'boolean' ? this.#idempotent : this.#idempotent.has(route.method)
    const retries = this.#retries ?? (isIdempotent ? IDEMPOTENT_RETRIES : 0)
    for (let failures = 0; ; failures += 1) {
      const timeoutMs = Math.max(until - clock.now(), 1)
      try {
        return await this.inner.call(route, entity, args, { ...options, timeoutMs, from })
      } catch (error) {
        const isWaiting = this.#waits && isOverload(error)
        const isAllowed = isWaiting || (failures < retries && mayRepeat(error, isIdempotent))
        const delayMs = isAllowed ? this.#delay(failures) : 0
        if (!isAllowed || clock.now() + delayMs >= until) throw error
        if (!isWaiting && !budget.take()) throw error
        await this.#pause(delayMs, options?.signal)
        counters.retries += 1
      }
    }
  }

  #delay(failures: number): number {
    const [byte = 0] = this.#host.random(1)
    return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.5 + byte / 512)
  }

  #pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = this.#host.clock.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }
}

const isOverload = (error: unknown): boolean =>
  error instanceof RpcError && error.code === 'RPC_OVERLOADED' && error.executed === 'no'

function mayRepeat(error: unknown, isIdempotent: boolean): boolean {
  if (!(error instanceof RpcError) || !MAY_PASS.has(error.code)) return false
  return error.executed === 'no' || (isIdempotent && error.executed === 'maybe')
}
