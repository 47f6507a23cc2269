import type { InPlaceLink } from '../in-place-link.ts'
import type { LinkOptions } from '../link.ts'
import { LENGTH_BYTES } from './batch-writer.ts'
import { InPlaceWriter } from './in-place-writer.ts'
import type { SlabPool } from './slab-pool.ts'
import { StreamLink, type ByteStream, type FlushMode } from './stream-link.ts'

/** A {@link StreamLink} for nodes, whose messages are written where they leave from and read where they came. */
export class InPlaceStreamLink extends StreamLink implements InPlaceLink {
  onPart: ((bytes: Uint8Array, start: number, end: number) => void) | undefined = undefined
  readonly #inPlace: InPlaceWriter

  constructor(
    remote: string,
    stream: ByteStream,
    pool: SlabPool,
    options: LinkOptions,
    flushMode: FlushMode,
  ) {
    const writer = new InPlaceWriter(pool)
    super(remote, stream, pool, options, flushMode, writer)
    this.#inPlace = writer
  }

  get messageBytes(): Uint8Array {
    return this.#inPlace.bytes
  }

  openMessage(bytes: number): number {
    return this.isOpen ? this.#inPlace.open(bytes) : -1
  }

  abandonMessage(): void {
    this.#inPlace.abandon()
  }

  sendMessage(bytes: Uint8Array, start: number, end: number): boolean | undefined {
    if (!this.isOpen) return undefined
    const buffered = this.bufferedBytes + (end - start) + LENGTH_BYTES
    // `send` closes the link then.
    if (buffered > this.maxBufferedBytes) return this.send(bytes.subarray(start, end))
    return this.#inPlace.commit(bytes, start, end) ? this.collected(buffered) : undefined
  }

  override onFrame(bytes: Uint8Array, start: number, end: number): void {
    if (this.onPart === undefined) super.onFrame(bytes, start, end)
    else this.onPart(bytes, start, end)
  }
}
