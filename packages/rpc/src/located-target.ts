import type { AddressTarget } from './address-target.ts'
import { callHere, frameHere } from './call-context.ts'
import { timeoutOf, type CallTarget, type SentOptions } from './call-target.ts'
import type { Clock } from './clock.ts'
import type { LocalCalls } from './local-calls.ts'
import type { EntityRef } from './entity-ref.ts'
import { RpcError } from './errors.ts'
import type { RetryHost } from './retrying-target.ts'
import { nameOf, type Route } from './wire.ts'

/**
 * @param wrong - The address that turned out wrong: what was remembered of it is to be forgotten.
 */
export type Locate = (
  ref: EntityRef,
  wrong?: string,
) => string | undefined | Promise<string | undefined>

/** So often a call follows an entity that moves while it is looked for. */
const MAX_MOVES = 3

/** Refusals that would be the same anywhere else. */
const NOT_ABOUT_PLACE = new Set([
  'RPC_BAD_ARGUMENTS',
  'RPC_DEADLOCK',
  'RPC_FORBIDDEN',
  'RPC_OVERLOADED',
  'RPC_TIMEOUT',
  'RPC_TOO_LARGE',
  'RPC_UNKNOWN_METHOD',
])

interface Places {
  readonly locate: Locate | undefined
  readonly at: (url: string) => AddressTarget
  /** The calls of this node to itself, when it serves the entity. */
  readonly here: (entityId: string) => LocalCalls | undefined
  readonly clock: Clock
  readonly defaultTimeoutMs: number
  readonly retry: RetryHost
}

/**
 * An entity wherever it is: asks for its address before each call. A call that was surely not executed asks
 * again, and follows when the answer is another address; all within its one deadline.
 */
export class LocatedTarget implements CallTarget {
  readonly ref: EntityRef
  readonly #places: Places

  constructor(ref: EntityRef, places: Places) {
    this.ref = ref
    this.#places = places
  }

  get retry(): RetryHost {
    return this.#places.retry
  }

  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const here = this.#places.here(this.ref.id)
    if (here === undefined) return this.#follow(route, entity, args, options)
    const { clock, defaultTimeoutMs } = this.#places
    const answer = here.call(route, entity, args, options)
    if (here.hasAnsweredAtOnce) return answer
    const startedAt = clock.now()
    const from = options?.from ?? frameHere() ?? null
    // It may have left while the call waited for its turn.
    return answer.catch(async (error: unknown) => {
      if (!mayBeElsewhere(error) || here.isClosed) throw error
      if ((await this.#placeBut(undefined)) === undefined) throw error
      const timeoutMs = startedAt + timeoutOf(options, defaultTimeoutMs) - clock.now()
      if (timeoutMs <= 0) throw error
      return this.#follow(route, entity, args, { ...options, timeoutMs, from })
    })
  }

  async #follow(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    options: SentOptions | undefined,
  ): Promise<unknown> {
    const { at, clock, defaultTimeoutMs } = this.#places
    const until = Math.min(
      clock.now() + timeoutOf(options, defaultTimeoutMs),
      callHere()?.deadline ?? Infinity,
    )
    const from = options?.from ?? frameHere() ?? null
    const place = this.#place()
    let url = typeof place === 'object' ? await place : place
    for (let moves = 0; ; moves += 1) {
      if (url === undefined) {
        const text = `${nameOf(route)}: nobody knows where ${this.ref.id} is`
        throw new RpcError('RPC_UNKNOWN_ENTITY', text)
      }
      const timeoutMs = until - clock.now()
      if (timeoutMs <= 0) {
        const text = `${nameOf(route)}: ${this.ref.id} was not found in time`
        throw new RpcError('RPC_TIMEOUT', text)
      }
      try {
        return await at(url).call(route, entity, args, { ...options, timeoutMs, from })
      } catch (error) {
        if (moves === MAX_MOVES || !mayBeElsewhere(error)) throw error
        const next = await this.#placeBut(url)
        if (next === undefined || next === url) throw error
        url = next
      }
    }
  }

  notify(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
    unreliable: boolean,
  ): boolean {
    const { at, here } = this.#places
    const local = here(this.ref.id)
    if (local !== undefined) return local.notify(route, entity, args)
    const place = this.#place()
    if (place === undefined) return false
    if (typeof place === 'string') return at(place).notify(route, entity, args, unreliable)
    place.then(
      (url) => url !== undefined && at(url).notify(route, entity, args, unreliable),
      () => {},
    )
    return true
  }

  #place(): string | undefined | Promise<string | undefined> {
    const { locate } = this.#places
    return locate === undefined ? this.ref.url : locate(this.ref)
  }

  /** Undefined also when nobody can be asked: the failure that led here then tells more. */
  async #placeBut(wrong: string | undefined): Promise<string | undefined> {
    try {
      if (wrong === undefined) return await this.#place()
      return await this.#places.locate?.(this.ref, wrong)
    } catch {
      return undefined
    }
  }
}

function mayBeElsewhere(error: unknown): boolean {
  return error instanceof RpcError && error.executed === 'no' && !NOT_ABOUT_PLACE.has(error.code)
}
