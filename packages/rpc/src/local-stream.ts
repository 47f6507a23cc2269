import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import type { Counters } from './counters.ts'
import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import type { LocalCall } from './local-call.ts'

/** A stream whose reader is in the same process as its handler: an item is made when it is asked for. */
export class LocalStream implements AsyncIterableIterator<unknown, undefined> {
  readonly #call: LocalCall
  readonly #iterable: AsyncIterable<unknown>
  readonly #counters: Counters
  readonly #abort = (): void => this.#stop()
  #iterator: AsyncIterator<unknown> | undefined
  /** Ends the wait for the next item. */
  #reject: ((reason: unknown) => void) | undefined
  #error: { readonly reason: unknown } | undefined
  #isOver = false

  constructor(call: LocalCall, iterable: AsyncIterable<unknown>, counters: Counters) {
    this.#call = call
    this.#iterable = iterable
    this.#counters = counters
    counters.openStreams += 1
    call.abortSignal?.addEventListener('abort', this.#abort)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#isOver) {
      const error = this.#error
      this.#error = undefined
      if (error !== undefined) throw error.reason
      return { value: undefined, done: true }
    }
    try {
      const { value, done } = await Promise.race([this.#pull(), this.#aborted()])
      if (done !== true) return { value, done: false }
    } catch (error) {
      if (this.#isOver) throw error
      this.#end()
      const { code, message, data } = errorReply(error, 'server')
      throw new RpcError(code, message, { executed: 'yes', data, cause: error })
    } finally {
      this.#reject = undefined
    }
    this.#end()
    return { value: undefined, done: true }
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#letGo()
    this.#error = undefined
    return Promise.resolve({ value: undefined, done: true })
  }

  #aborted(): Promise<never> {
    return new Promise((_, reject) => {
      this.#reject = reject
    })
  }

  #pull(): Promise<IteratorResult<unknown>> {
    if (this.#iterator !== undefined) return this.#iterator.next()
    // A generator begins here: its handler may still ask who called.
    const begin = (): Promise<IteratorResult<unknown>> => {
      this.#iterator = this.#iterable[Symbol.asyncIterator]()
      return this.#iterator.next()
    }
    const before = enterCall(this.#call)
    try {
      return callStorage === undefined ? begin() : callStorage.run(undefined, begin)
    } finally {
      enterCall(before)
    }
  }

  #stop(): void {
    if (this.#isOver) return
    const reason: unknown = this.#call.abortSignal?.reason
    this.#letGo()
    if (this.#reject === undefined) this.#error = { reason }
    else this.#reject(reason)
  }

  #letGo(): void {
    if (this.#isOver) return
    this.#end()
    this.#call.end(new RpcError('RPC_CLOSED', 'nobody reads the stream any more'))
    // An iterator may fail while it lets go; nobody is left to be told.
    const letGo = async (): Promise<unknown> => this.#iterator?.return?.()
    letGo().catch(() => {})
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#counters.openStreams -= 1
    this.#call.abortSignal?.removeEventListener('abort', this.#abort)
  }
}
