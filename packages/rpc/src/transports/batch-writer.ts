import { putU32 } from '../byte-writer.ts'
import { SLAB_BYTES, type SlabPool } from './slab-pool.ts'

export const LENGTH_BYTES = 4

/** A part of what one flush writes, and the buffer it lies in. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly slab: Uint8Array
}

/** Collects length-prefixed messages in slabs, so that many of them leave in one write. */
export class BatchWriter {
  readonly #pool: SlabPool
  #full: Piece[] = []
  #slab: Uint8Array | undefined
  #used = 0
  /** Bytes collected and not taken yet. */
  size = 0
  /** Those of them in slabs that are full. */
  fullSize = 0
  /** Where a message is being written in place; -1: nowhere. */
  #openAt = -1

  constructor(pool: SlabPool) {
    this.#pool = pool
  }

  /** What {@link BatchWriter.open} made room in. */
  get bytes(): Uint8Array {
    return this.#slab!
  }

  /** Makes room for a message that is written in place. @returns Where it begins in `bytes`. */
  open(bytes: number): number {
    this.#leaveOpened()
    this.#room(LENGTH_BYTES + bytes)
    this.#openAt = this.#used + LENGTH_BYTES
    return this.#openAt
  }

  /** Takes what was written in place. @returns Whether it was there: not when another message came in between. */
  commit(slab: Uint8Array, start: number, end: number): boolean {
    if (this.#openAt !== start || this.#slab !== slab) return false
    this.#openAt = -1
    const length = end - start
    putU32(slab, this.#used, length)
    this.#used = end
    this.size += LENGTH_BYTES + length
    return true
  }

  /** What was to be written in place is not. */
  abandon(): void {
    this.#openAt = -1
  }

  append(message: Uint8Array): void {
    this.#leaveOpened()
    const bytes = LENGTH_BYTES + message.length
    const slab = this.#room(bytes)
    const at = putU32(slab, this.#used, message.length)
    slab.set(message, at)
    this.#used += bytes
    this.size += bytes
  }

  /** A bare length word: the mark of something that is no message. */
  appendMark(mark: number): void {
    this.#leaveOpened()
    putU32(this.#room(LENGTH_BYTES), this.#used, mark)
    this.#used += LENGTH_BYTES
    this.size += LENGTH_BYTES
  }

  /** Hands out all that was collected, in order. */
  take(): Piece[] {
    this.#seal()
    return this.takeFull()
  }

  /** Hands out the slabs that are full. */
  takeFull(): Piece[] {
    const pieces = this.#full
    this.#full = []
    this.size -= this.fullSize
    this.fullSize = 0
    return pieces
  }

  /** Somebody is writing in the slab while another message comes: it keeps the rest of the slab for itself. */
  #leaveOpened(): void {
    if (this.#openAt < 0) return
    if (this.#used > 0) this.#seal()
    this.#slab = undefined
    this.#openAt = -1
  }

  #room(bytes: number): Uint8Array {
    const slab = this.#slab
    if (slab !== undefined && slab.length - this.#used >= bytes) return slab
    const needed = this.#used + bytes
    if (slab !== undefined && slab.length < SLAB_BYTES && needed <= SLAB_BYTES) {
      // A small slab grows into a large one: what it holds is little.
      const larger = this.#pool.take(SLAB_BYTES)
      larger.set(slab.subarray(0, this.#used))
      this.#pool.give(slab)
      this.#slab = larger
      return larger
    }
    this.#seal()
    const fresh = this.#pool.take(slab === undefined ? bytes : Math.max(bytes, SLAB_BYTES))
    this.#slab = fresh
    return fresh
  }

  #seal(): void {
    this.#openAt = -1
    const slab = this.#slab
    if (slab === undefined) return
    this.#full.push({ bytes: slab.subarray(0, this.#used), slab })
    this.fullSize += this.#used
    this.#slab = undefined
    this.#used = 0
  }
}
