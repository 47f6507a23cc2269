import { RpcError } from './errors.ts'

/** What the other end may send ahead of its reader: items, and bytes of them. The last item may go beyond the bytes. */
const WINDOW = 32
const WINDOW_BYTES = 256 * 1024

/** What a stream sends back along its link. */
export interface StreamControl {
  grant(items: number, bytes: number): void
  /** The reader has lost interest. */
  cancel(): void
  /** It is over, however it ended. */
  closed(): void
}

interface Item {
  readonly value: unknown
  readonly bytes: number
}

interface Reader {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** The reading end of a stream: asks for as many items as it has room for. It can be read once. */
export class RemoteStream implements AsyncIterableIterator<unknown, undefined> {
  readonly #control: StreamControl
  readonly #windowBytes: number
  readonly #items: Item[] = []
  readonly #readers: Reader[] = []
  /** What the other end may still send. */
  #credit = 0
  #creditBytes = 0
  /** Of the items that wait for a reader. */
  #waitingBytes = 0
  #isEnded = false
  #error: { readonly reason: unknown } | undefined

  constructor(control: StreamControl, windowBytes: number = WINDOW_BYTES) {
    this.#control = control
    this.#windowBytes = windowBytes
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#items.length > 0) {
      const { value, bytes } = this.#items.shift()!
      this.#waitingBytes -= bytes
      this.#refill()
      return Promise.resolve({ value, done: false })
    }
    if (this.#isEnded) {
      const error = this.#error
      this.#error = undefined
      if (error !== undefined) return Promise.reject(error.reason as Error)
      return Promise.resolve({ value: undefined, done: true })
    }
    const result = new Promise<IteratorResult<unknown, undefined>>((resolve, reject) => {
      this.#readers.push({ resolve, reject })
    })
    this.#refill()
    return result
  }

  /** What has not been read is dropped, and the other end stops. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#items.length = 0
    this.#waitingBytes = 0
    this.#error = undefined
    if (!this.#isEnded) {
      this.#control.cancel()
      this.end()
    }
    return Promise.resolve({ value: undefined, done: true })
  }

  /** @returns Whether the other end was allowed to send it. */
  push(value: unknown, bytes: number): boolean {
    if (this.#credit === 0 || this.#creditBytes <= 0) return false
    this.#credit -= 1
    this.#creditBytes -= bytes
    const reader = this.#readers.shift()
    if (reader === undefined) {
      this.#items.push({ value, bytes })
      this.#waitingBytes += bytes
    } else {
      reader.resolve({ value, done: false })
      this.#refill()
    }
    return true
  }

  /** No more items come. Those that are here are read before an error is told. */
  end(error?: { readonly reason: unknown }): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#control.closed()
    const readers = this.#readers.splice(0)
    if (error !== undefined && readers.length > 0) readers.shift()?.reject(error.reason)
    else this.#error = error
    for (const reader of readers) reader.resolve({ value: undefined, done: true })
  }

  #refill(): void {
    if (this.#isEnded) return
    const room = WINDOW - this.#credit - this.#items.length
    const bytes = this.#windowBytes - this.#creditBytes - this.#waitingBytes
    if (room < WINDOW / 2 && bytes < this.#windowBytes / 2) return
    this.#credit += Math.max(0, room)
    this.#creditBytes += Math.max(0, bytes)
    this.#control.grant(Math.max(0, room), Math.max(0, bytes))
  }
}

/** Iterates the promise of a call: `for await (const item of remote.watch())`. */
export function iterateResult(promise: PromiseLike<unknown>): AsyncIterator<unknown> {
  const opened = Promise.resolve(promise).then((result) => {
    if (isReadable(result)) return result
    throw new RpcError('RPC_BAD_REPLY', 'the result is no stream', { executed: 'yes' })
  })
  opened.catch(() => {})
  return {
    next: () => opened.then((stream) => stream.next()),
    return: () => opened.then((stream) => stream.return()),
  }
}

/** A stream of a link, or of this process. */
const isReadable = (result: unknown): result is RemoteStream =>
  typeof result === 'object' &&
  result !== null &&
  Symbol.asyncIterator in result &&
  typeof (result as { next?: unknown }).next === 'function'
