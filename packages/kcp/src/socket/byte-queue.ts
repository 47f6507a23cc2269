const SLAB_BYTES = 16 * 1024

/** Bytes waiting their turn, in slabs: small writes share one, a large one gets its own. */
export class ByteQueue {
  readonly #slabs: { readonly bytes: Uint8Array; from: number; end: number }[] = []
  #head = 0
  size = 0

  push(bytes: Uint8Array, from: number, end: number): void {
    const length = end - from
    if (length === 0) return
    this.size += length
    const last = this.#slabs.length > this.#head ? this.#slabs.at(-1) : undefined
    if (last !== undefined && last.bytes.length - last.end >= length) {
      last.bytes.set(bytes.subarray(from, end), last.end)
      last.end += length
      return
    }
    const slab = new Uint8Array(Math.max(length, SLAB_BYTES))
    slab.set(bytes.subarray(from, end))
    this.#slabs.push({ bytes: slab, from: 0, end: length })
  }

  /** Offers what is there, in pieces, until `take` has taken less than it was offered. */
  drain(take: (bytes: Uint8Array, from: number, end: number) => number): void {
    while (this.size > 0) {
      const slab = this.#slabs[this.#head]!
      const taken = take(slab.bytes, slab.from, slab.end)
      slab.from += taken
      this.size -= taken
      if (slab.from < slab.end) return
      this.#head += 1
      if (this.#head > 32 && this.#head * 2 > this.#slabs.length) {
        this.#slabs.splice(0, this.#head)
        this.#head = 0
      }
    }
    this.clear()
  }

  clear(): void {
    this.#slabs.length = 0
    this.#head = 0
    this.size = 0
  }
}
