import type { CallOptions, CallTarget } from './call-target.ts'
import { isReservedName } from './exposure.ts'
import { iterateResult } from './remote-stream.ts'
import { asksForRetries, RetryingTarget } from './retrying-target.ts'
import type { Notify } from './remote-types.ts'
import { encodeEntityId, makeRoute } from './wire.ts'

export interface NotifyOptions {
  /** On the state lane: may be lost, the newest wins. @defaultValue false */
  readonly unreliable?: boolean
}

/** What a remote stands for. */
interface Aim {
  readonly target: CallTarget
  readonly service: string
  readonly entity: Uint8Array | undefined
  readonly entityId?: string
  readonly call: CallOptions | undefined
  readonly notify: NotifyOptions | undefined
}

type Invoke = (...args: unknown[]) => unknown

const aims = new WeakMap<object, { readonly aim: Aim; readonly path: string }>()

export function serviceRemote(target: CallTarget, service: string): object {
  if (service === '') throw new RangeError('a service needs a name')
  return remote({ target, service, entity: undefined, call: undefined, notify: undefined }, '')
}

export function entityRemote(target: CallTarget, id: string): object {
  const entity = encodeEntityId(id)
  return remote(
    { target, service: '', entity, entityId: id, call: undefined, notify: undefined },
    '',
  )
}

/** What a remote stands for; `undefined` for anything else. */
export const aimOf = (remote: object): { readonly aim: Aim; readonly path: string } | undefined =>
  aims.get(remote)

/** A component of a remote, by its path; the remote itself for an empty one. */
export const memberOf = (from: object, path: string): object =>
  path === '' ? from : remote(aims.get(from)!.aim, path)

/** The same remote with options for its calls. */
export function withCall<R extends object>(remote: R, options: CallOptions): R {
  const target = aims.get(remote)?.aim.target
  const plain = target instanceof RetryingTarget ? target.inner : target
  if (plain === undefined || !asksForRetries(options) || plain.retry === undefined) {
    return redirect(remote, 'withCall', { call: options, ...(plain && { target: plain }) }) as R
  }
  const retrying = new RetryingTarget(plain, plain.retry, options)
  return redirect(remote, 'withCall', { call: options, target: retrying }) as R
}

/** The same remote one way: its methods return at once whether the message was accepted for sending. */
export function notify<R extends object>(remote: R, options: NotifyOptions = {}): Notify<R> {
  return redirect(remote, 'notify', { notify: options }) as Notify<R>
}

/** `[undefined, result]` or `[error, undefined]` instead of a rejection. */
export async function settle<T>(
  promise: PromiseLike<T>,
): Promise<[error: undefined, value: T] | [error: Error & { code?: string }, value: undefined]> {
  try {
    return [undefined, await promise]
  } catch (error) {
    return [error instanceof Error ? error : new Error(String(error), { cause: error }), undefined]
  }
}

function redirect(from: object, caller: string, change: Partial<Aim>): object {
  const known = aims.get(from)
  if (known === undefined) throw new TypeError(`${caller}: not a remote`)
  return remote({ ...known.aim, ...change }, known.path)
}

function remote(aim: Aim, path: string): object {
  // A function, so that every member can be called as a method and read as a component.
  const proxy = new Proxy(path === '' ? notCallable : methodOf(aim, path), new Members(aim, path))
  aims.set(proxy, { aim, path })
  return proxy
}

const notCallable: Invoke = () => {
  throw new TypeError('a remote is not a function: call one of its methods')
}

function methodOf({ target, service, entity, call, notify }: Aim, path: string): Invoke {
  const route = makeRoute(service, path)
  if (notify !== undefined) {
    const unreliable = notify.unreliable ?? false
    return (...args) => target.notify(route, entity, args, unreliable)
  }
  return (...args) => {
    const promise: PromiseLike<unknown> & { [Symbol.asyncIterator]?: unknown } = target.call(
      route,
      entity,
      args,
      call,
    )
    promise[Symbol.asyncIterator] = iterator
    return promise
  }
}

function iterator(this: PromiseLike<unknown>): AsyncIterator<unknown> {
  return iterateResult(this)
}

class Members implements ProxyHandler<Invoke> {
  readonly #aim: Aim
  readonly #path: string
  readonly #members = new Map<string, object>()

  constructor(aim: Aim, path: string) {
    this.#aim = aim
    this.#path = path
  }

  get(_: Invoke, name: string | symbol): unknown {
    if (typeof name === 'symbol') return undefined
    const known = this.#members.get(name)
    if (known !== undefined) return known
    // `then` above all: a remote that looked like a promise could not be awaited or returned.
    if (isReservedName(name)) return name === 'toString' ? () => this.#describe() : undefined
    const member = remote(this.#aim, this.#path === '' ? name : `${this.#path}.${name}`)
    this.#members.set(name, member)
    return member
  }

  set(): boolean {
    return false
  }

  defineProperty(): boolean {
    return false
  }

  deleteProperty(): boolean {
    return false
  }

  setPrototypeOf(): boolean {
    return false
  }

  #describe(): string {
    const { service, entity } = this.#aim
    return `[remote ${entity === undefined ? service : 'entity'}${this.#path && `.${this.#path}`}]`
  }
}
