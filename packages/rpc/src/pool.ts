import { RpcError } from './errors.ts'

export interface PoolOptions {
  /** How many run at once; a whole number from 1. */
  readonly limit: number
  /** How many may wait for their turn; a whole number from 0. @defaultValue 1024 */
  readonly queue?: number
  /** Told of each failure of a function, whether or not anybody awaits its call. */
  readonly onError?: (error: unknown) => void
}

interface PoolRunOptions {
  readonly signal?: AbortSignal
  /** Larger goes first where runs wait. @defaultValue 0 */
  readonly priority?: number
}

/** One pool: everything wrapped by it and run in it shares its limit and its queue. */
export interface Pool {
  /** Wraps a function, or decorates a method: its calls run in this pool, in the order they are made. */
  <This, Args extends unknown[], R>(
    fn: (this: This, ...args: Args) => Promise<R>,
    context?: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<R>>,
  ): (this: This, ...args: Args) => Promise<R>
  /** Runs one function. The signal takes it out of the queue; once it runs, ending early is its own work. */
  run<R>(fn: () => R | PromiseLike<R>, options?: PoolRunOptions): Promise<Awaited<R>>
  readonly running: number
  readonly waiting: number
}

const DEFAULT_QUEUE = 1024

/**
 * Bounds how many calls of asynchronous functions run at once. `pool(options)(fn)` wraps a function,
 * `@pool(options)` a method; each `pool(...)` is one pool, so a decorated method shares it over all objects of the
 * class. A call may be awaited or forgotten: a forgotten one that fails is no unhandled rejection.
 *
 * Calls beyond the limit wait; beyond the queue they are rejected with `RPC_OVERLOADED`, `executed: 'no'`.
 *
 * @throws RangeError for a limit or queue that is no such number.
 */
export function pool(options: PoolOptions): Pool {
  const slots = new Slots(options)
  const wrap = <This, Args extends unknown[], R>(
    fn: (this: This, ...args: Args) => Promise<R>,
  ): ((this: This, ...args: Args) => Promise<R>) =>
    function pooled(this: This, ...args: Args): Promise<R> {
      return slots.run(() => fn.apply(this, args), undefined, 0) as Promise<R>
    }
  return Object.defineProperties(wrap, {
    run: {
      value: <R>(fn: () => R | PromiseLike<R>, { signal, priority = 0 }: PoolRunOptions = {}) =>
        slots.run(fn, signal, priority),
    },
    running: { get: () => slots.running },
    waiting: { get: () => slots.waiting.size },
  }) as Pool
}

/** A call that waits for its turn. */
interface Waiting {
  readonly priority: number
  readonly start: () => void
}

class Slots {
  running = 0
  readonly waiting = new Set<Waiting>()
  #hasPriorities = false
  readonly #limit: number
  readonly #queue: number
  readonly #onError: ((error: unknown) => void) | undefined

  constructor({ limit, queue = DEFAULT_QUEUE, onError }: PoolOptions) {
    if (!(Number.isInteger(limit) && limit >= 1)) {
      throw new RangeError(`limit must be a whole number from 1, got ${limit}`)
    }
    if (!(Number.isInteger(queue) && queue >= 0)) {
      throw new RangeError(`queue must be a whole number from 0, got ${queue}`)
    }
    this.#limit = limit
    this.#queue = queue
    this.#onError = onError
  }

  run<R>(
    fn: () => R | PromiseLike<R>,
    signal: AbortSignal | undefined,
    priority: number,
  ): Promise<Awaited<R>> {
    const promise = new Promise<R>((resolve, reject) => {
      if (signal?.aborted) reject(signal.reason as Error)
      else if (this.running < this.#limit) this.#start(fn, resolve, reject)
      else if (this.waiting.size >= this.#queue) reject(this.#overloaded())
      else this.#wait(fn, signal, priority, resolve, reject)
    })
    // Whoever awaits it still sees the rejection; whoever forgot it is told by `onError`.
    promise.catch(() => {})
    return promise as Promise<Awaited<R>>
  }

  #wait<R>(
    fn: () => R | PromiseLike<R>,
    signal: AbortSignal | undefined,
    priority: number,
    resolve: (value: R) => void,
    reject: (error: unknown) => void,
  ): void {
    const leave = (): void => {
      this.waiting.delete(waiting)
      reject(signal?.reason)
    }
    const waiting: Waiting = {
      priority,
      start: () => {
        signal?.removeEventListener('abort', leave)
        this.#start(fn, resolve, reject)
      },
    }
    if (this.waiting.size === 0) this.#hasPriorities = false
    if (priority !== 0) this.#hasPriorities = true
    this.waiting.add(waiting)
    signal?.addEventListener('abort', leave, { once: true })
  }

  #start<R>(
    fn: () => R | PromiseLike<R>,
    resolve: (value: R) => void,
    reject: (error: unknown) => void,
  ): void {
    this.running += 1
    const run = async (): Promise<R> => fn()
    run().then(
      (value) => {
        this.#ended()
        resolve(value)
      },
      (error: unknown) => {
        this.#ended()
        reject(error)
        this.#onError?.(error)
      },
    )
  }

  #ended(): void {
    this.running -= 1
    let next: Waiting | undefined
    for (const waiting of this.waiting) {
      if (next === undefined || waiting.priority > next.priority) next = waiting
      if (!this.#hasPriorities) break
    }
    if (next === undefined) return
    this.waiting.delete(next)
    next.start()
  }

  #overloaded(): RpcError {
    const text = `the pool is full: ${this.running} run, ${this.waiting.size} wait`
    return new RpcError('RPC_OVERLOADED', text)
  }
}
