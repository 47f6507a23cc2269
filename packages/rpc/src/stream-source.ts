/** How a stream leaves. */
export interface StreamOutput {
  /** Whether the link takes more for now. */
  isReady(): boolean
  /** @returns The bytes of the item. @throws when it cannot be sent. */
  item(value: unknown): number
  end(error?: { readonly reason: unknown }): void
  /** Runs the first step of the iterator, inside which a handler may ask who called. */
  first<T>(step: () => T): T
}

/** The sending end of a stream: pulls an item only when the reader has room for it and the link is not behind. */
export class StreamSource {
  readonly #iterable: AsyncIterable<unknown>
  readonly #output: StreamOutput
  #iterator: AsyncIterator<unknown> | undefined
  #credit = 0
  /** The reader takes so many bytes more; an item may go beyond. */
  #bytes = 0
  #isPumping = false
  #isOver = false

  constructor(iterable: AsyncIterable<unknown>, output: StreamOutput) {
    this.#iterable = iterable
    this.#output = output
  }

  grant(items: number, bytes: number): void {
    this.#credit = Math.min(this.#credit + items, 2 ** 31)
    this.#bytes = Math.min(this.#bytes + bytes, 2 ** 40)
    this.resume()
  }

  /** The link takes more again. */
  resume(): void {
    if (!this.#isPumping && !this.#isOver) void this.#pump()
  }

  /** Nobody reads any more. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo()
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      while (this.#hasRoom() && !this.#isOver && this.#output.isReady()) {
        const { value, done } = await this.#next()
        if (this.#isOver) return
        if (done === true) {
          this.#isOver = true
          this.#output.end()
          return
        }
        this.#credit -= 1
        this.#bytes -= this.#output.item(value)
      }
    } catch (reason) {
      if (this.#isOver) return
      this.#isOver = true
      this.#output.end({ reason })
      this.#letGo()
    } finally {
      this.#isPumping = false
    }
  }

  #hasRoom(): boolean {
    return this.#credit > 0 && this.#bytes > 0
  }

  #next(): Promise<IteratorResult<unknown>> {
    if (this.#iterator !== undefined) return this.#iterator.next()
    return this.#output.first(() => {
      this.#iterator = this.#iterable[Symbol.asyncIterator]()
      return this.#iterator.next()
    })
  }

  #letGo(): void {
    // An iterator may fail while it lets go; nobody is left to be told.
    const letGo = async (): Promise<unknown> => this.#iterator?.return?.()
    letGo().catch(() => {})
  }
}

/** Never throws: what cannot be looked into is no stream. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  if (typeof value !== 'object' || value === null) return false
  try {
    return Symbol.asyncIterator in value
  } catch {
    return false
  }
}
