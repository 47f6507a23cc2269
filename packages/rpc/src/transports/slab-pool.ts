const SMALL_BYTES = 2 * 1024
/**
 * What one write carries at most, but for a single larger message. Some 100 small calls: a full slab leaves at once, so
 * that the other end works on it while this one fills the next.
 */
export const SLAB_BYTES: number = 8 * 1024
const KEPT_SMALL = 512
const KEPT_LARGE = 512

/** Write buffers shared by the links of one transport: a link holds one only while it has something to send. */
export class SlabPool {
  readonly #small: Uint8Array[] = []
  readonly #large: Uint8Array[] = []

  /** A buffer for at least that many bytes: of one of the two sizes, or made to measure. */
  take(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? new Uint8Array(SMALL_BYTES)
    if (bytes <= SLAB_BYTES) return this.#large.pop() ?? new Uint8Array(SLAB_BYTES)
    return new Uint8Array(bytes)
  }

  give(slab: Uint8Array): void {
    if (slab.length === SMALL_BYTES) {
      if (this.#small.length < KEPT_SMALL) this.#small.push(slab)
    } else if (slab.length === SLAB_BYTES && this.#large.length < KEPT_LARGE) {
      this.#large.push(slab)
    }
  }
}
