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
  protected slab: Uint8Array | undefined
  protected used = 0
  /** Bytes collected and not taken yet. */
  size = 0
  /** Those of them in slabs that are full. */
  fullSize = 0

  constructor(pool: SlabPool) {
    this.#pool = pool
  }

  append(message: Uint8Array): void {
    const bytes = LENGTH_BYTES + message.length
    const slab = this.room(bytes)
    const at = putU32(slab, this.used, message.length)
    slab.set(message, at)
    this.used += bytes
    this.size += bytes
  }

  /** A bare length word: the mark of something that is no message. */
  appendMark(mark: number): void {
    putU32(this.room(LENGTH_BYTES), this.used, mark)
    this.used += LENGTH_BYTES
    this.size += LENGTH_BYTES
  }

  /** Hands out all that was collected, in order. */
  take(): Piece[] {
    this.seal()
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

  protected room(bytes: number): Uint8Array {
    const slab = this.slab
    if (slab !== undefined && slab.length - this.used >= bytes) return slab
    const needed = this.used + bytes
    if (slab !== undefined && slab.length < SLAB_BYTES && needed <= SLAB_BYTES) {
      // A small slab grows into a large one: what it holds is little.
      const larger = this.#pool.take(SLAB_BYTES)
      larger.set(slab.subarray(0, this.used))
      this.#pool.give(slab)
      this.slab = larger
      return larger
    }
    this.seal()
    const fresh = this.#pool.take(slab === undefined ? bytes : Math.max(bytes, SLAB_BYTES))
    this.slab = fresh
    return fresh
  }

  protected seal(): void {
    const slab = this.slab
    if (slab === undefined) return
    this.#full.push({ bytes: slab.subarray(0, this.used), slab })
    this.fullSize += this.used
    this.slab = undefined
    this.used = 0
  }
}
