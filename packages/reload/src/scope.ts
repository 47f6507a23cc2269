// What a hot module has running outside itself: swept when the module is reloaded, or handed on under a key.
import type { Clock } from './clock.ts'

type Callback = (...args: never[]) => unknown

interface Registration {
  readonly key: string | undefined
  readonly kind: string
  fn: Callback
  owner: ModuleScope
  readonly cancel: () => void
}

/** Anything with listeners: an EventEmitter, an EventTarget, or `on` that returns its undo. */
export interface Listenable {
  on?(event: string, listener: Callback): unknown
  off?(event: string, listener: Callback): unknown
  addEventListener?(event: string, listener: Callback): void
  removeEventListener?(event: string, listener: Callback): void
}

/** Registers what must end when the module is reloaded. */
export interface Scope {
  /** Calls `fn` once. With a `key`, the reloaded module's call of the same key keeps the running timer. */
  setTimeout(fn: () => void, delayMs: number, key?: string): () => void
  /** Calls `fn` again and again. With a `key`, a reload keeps the phase and swaps the function. */
  setInterval(fn: () => void, intervalMs: number, key?: string): () => void
  on(target: object, event: string, listener: Callback): () => void
  /** Anything that returns its undo and that may be there twice for a moment. Returns the undo. */
  use(undo: () => void): () => void
  /**
   * Something of which there can be but one, such as `scope.start(() => rpc.expose('lobby', lobby))`: `begin` is called
   * when that of the version before has ended, and returns its undo. A reload that fails calls the old one again.
   */
  start(begin: () => () => void): () => void
}

/** One `begin` of `start`, with its undo while it is under way. */
interface Started {
  readonly begin: () => () => void
  end: (() => void) | undefined
}

export class ModuleScope implements Scope {
  readonly #clock: Clock
  readonly #registrations = new Set<Registration>()
  readonly #takenOver: (() => void)[] = []
  readonly #started = new Set<Started>()
  #previous: ModuleScope | undefined
  readonly #disposers: (() => void)[] = []

  constructor(clock: Clock, previous?: ModuleScope) {
    this.#clock = clock
    this.#previous = previous
  }

  get size(): number {
    return this.#registrations.size
  }

  setTimeout(fn: () => void, delayMs: number, key?: string): () => void {
    const kind = `timeout ${delayMs}`
    return this.#register(kind, fn, key, (one) =>
      this.#clock.setTimer(delayMs, () => {
        one.owner.#registrations.delete(one)
        ;(one.fn as () => void)()
      }),
    )
  }

  setInterval(fn: () => void, intervalMs: number, key?: string): () => void {
    return this.#register(`interval ${intervalMs}`, fn, key, (one) => {
      let cancel = (): void => {}
      let due = this.#clock.now() + intervalMs
      const arm = (): void => {
        cancel = this.#clock.setTimer(Math.max(0, due - this.#clock.now()), () => {
          due = Math.max(due + intervalMs, this.#clock.now())
          arm()
          ;(one.fn as () => void)()
        })
      }
      arm()
      return () => cancel()
    })
  }

  on(target: object, event: string, listener: Callback): () => void {
    const { on, addEventListener } = target as Listenable
    if (on === undefined && addEventListener === undefined)
      throw new TypeError('the target of scope.on has neither on nor addEventListener')
    if (on === undefined) {
      ;(target as Listenable).addEventListener!(event, listener)
      return this.use(() => (target as Listenable).removeEventListener!(event, listener))
    }
    const undo = on.call(target, event, listener)
    return this.use(
      typeof undo === 'function'
        ? (undo as () => void)
        : () => (target as Listenable).off!(event, listener),
    )
  }

  use(undo: () => void): () => void {
    return this.#register(
      'use',
      () => {},
      undefined,
      () => undo,
    )
  }

  start(begin: () => () => void): () => void {
    const one: Started = { begin, end: undefined }
    this.#started.add(one)
    if (this.#previous === undefined) one.end = begin()
    return () => {
      this.#started.delete(one)
      end(one)
    }
  }

  /** Ends what the versions before these have started, then starts what these have. All or nothing. */
  static handOver(scopes: readonly ModuleScope[]): void {
    const started = scopes.flatMap((scope) => [...scope.#started])
    const before = scopes.flatMap((scope) =>
      scope.#previous === undefined ? [] : [...scope.#previous.#started],
    )
    const ended: Started[] = []
    try {
      for (const one of before) {
        ended.push(one)
        end(one)
      }
      for (const one of started) one.end = one.begin()
    } catch (error) {
      for (const one of started) attempt(() => end(one), [])
      for (const one of ended) attempt(() => (one.end ??= one.begin()), [])
      throw error
    }
  }

  onDispose(fn: () => void): void {
    this.#disposers.push(fn)
  }

  /** The reload holds: the version before hands over what was claimed, and ends the rest. Returns what failed. */
  commit(): unknown[] {
    const previous = this.#previous
    this.#previous = undefined
    for (const take of this.#takenOver.splice(0)) take()
    return previous?.dispose() ?? []
  }

  /** The reload failed: what the new version began ends; what it only claimed was never taken. */
  abandon(): void {
    this.#previous = undefined
    this.#takenOver.length = 0
    this.#disposers.length = 0
    this.dispose()
  }

  /** Ends everything. Returns the errors that disposers threw. */
  dispose(): unknown[] {
    const errors: unknown[] = []
    for (const run of this.#disposers.splice(0)) attempt(run, errors)
    for (const { cancel } of this.#registrations) attempt(cancel, errors)
    for (const one of this.#started) attempt(() => end(one), errors)
    this.#registrations.clear()
    this.#started.clear()
    return errors
  }

  #register(
    kind: string,
    fn: Callback,
    key: string | undefined,
    start: (one: Registration) => () => void,
  ): () => void {
    const running = key === undefined ? undefined : this.#previous?.find(kind, key)
    if (running !== undefined) {
      this.#takenOver.push(() => {
        running.owner.#registrations.delete(running)
        running.owner = this
        running.fn = fn
        this.#registrations.add(running)
      })
      return () => {
        running.cancel()
        running.owner.#registrations.delete(running)
      }
    }
    let cancel = (): void => {}
    const one: Registration = { key, kind, fn, owner: this, cancel: () => cancel() }
    this.#registrations.add(one)
    cancel = start(one)
    return () => {
      if (!one.owner.#registrations.delete(one)) return
      cancel()
    }
  }

  find(kind: string, key: string): Registration | undefined {
    for (const one of this.#registrations) if (one.key === key && one.kind === kind) return one
    return undefined
  }
}

function end(one: Started): void {
  const undo = one.end
  one.end = undefined
  undo?.()
}

function attempt(run: () => void, errors: unknown[]): void {
  try {
    run()
  } catch (error) {
    errors.push(error)
  }
}
