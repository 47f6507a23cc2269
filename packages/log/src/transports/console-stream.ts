/** Failures of a stream whose reader went away, as `| head` does. Nobody is there to be told. */
const READER_GONE = new Set(['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'EOF'])

type Report = (error: Error) => void

/** What all logs of a process know of one output stream. */
export class ConsoleStream {
  static readonly #known = new WeakMap<NodeJS.WritableStream, ConsoleStream>()

  readonly #stream: NodeJS.WritableStream
  readonly #reports = new Set<Report>()
  #isGone = false

  private constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
    // One listener for ever: a stream may fail long after its last line.
    stream.on('error', (error: NodeJS.ErrnoException) => this.#failed(error))
  }

  static of(stream: NodeJS.WritableStream): ConsoleStream {
    const known = ConsoleStream.#known.get(stream)
    if (known !== undefined) return known
    const made = new ConsoleStream(stream)
    ConsoleStream.#known.set(stream, made)
    return made
  }

  /** @returns The undo. */
  onFailure(report: Report): () => void {
    this.#reports.add(report)
    return () => void this.#reports.delete(report)
  }

  /** Bytes that wait for the reader. */
  get bufferedBytes(): number {
    return (this.#stream as { readonly writableLength?: number }).writableLength ?? 0
  }

  /** One call for one whole line, so that lines of others stand before or after it, never inside. */
  write(text: string): void {
    if (this.#isGone) return
    try {
      this.#stream.write(text)
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException)
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#isGone) return
    this.#isGone = true
    if (READER_GONE.has(error.code ?? '')) return
    for (const report of this.#reports) report(error)
  }
}
