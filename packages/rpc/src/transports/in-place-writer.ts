import { putU32 } from '../byte-writer.ts'
import { BatchWriter, LENGTH_BYTES } from './batch-writer.ts'

/** A {@link BatchWriter} in which messages can be written where they leave from. */
export class InPlaceWriter extends BatchWriter {
  /** Where a message is being written in place; -1: nowhere. */
  #openAt = -1

  /** What {@link InPlaceWriter.open} made room in. */
  get bytes(): Uint8Array {
    return this.slab!
  }

  /** Makes room for a message that is written in place. @returns Where it begins in `bytes`. */
  open(bytes: number): number {
    this.#leaveOpened()
    this.room(LENGTH_BYTES + bytes)
    this.#openAt = this.used + LENGTH_BYTES
    return this.#openAt
  }

  /** Takes what was written in place. @returns Whether it was there: not when another message came in between. */
  commit(slab: Uint8Array, start: number, end: number): boolean {
    if (this.#openAt !== start || this.slab !== slab) return false
    this.#openAt = -1
    const length = end - start
    putU32(slab, this.used, length)
    this.used = end
    this.size += LENGTH_BYTES + length
    return true
  }

  /** What was to be written in place is not. */
  abandon(): void {
    this.#openAt = -1
  }

  override append(message: Uint8Array): void {
    this.#leaveOpened()
    super.append(message)
  }

  override appendMark(mark: number): void {
    this.#leaveOpened()
    super.appendMark(mark)
  }

  protected override seal(): void {
    this.#openAt = -1
    super.seal()
  }

  /** Somebody is writing in the slab while another message comes: it keeps the rest of the slab for itself. */
  #leaveOpened(): void {
    if (this.#openAt < 0) return
    if (this.used > 0) this.seal()
    this.slab = undefined
    this.#openAt = -1
  }
}
