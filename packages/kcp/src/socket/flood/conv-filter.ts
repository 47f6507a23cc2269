/** Conversations that share the lower bits of their numbers share a place. They are drawn at random. */
const PLACES = 65_536

/**
 * Which conversations a listener may know, for threads that have none of them: those it knows, and of a hundred
 * others as many as the listener has 655 of. Memory that both see; untouched pages of it cost nothing.
 */
export class ConvFilter {
  /** How many there are in each place. */
  readonly shared: Uint32Array = new Uint32Array(new SharedArrayBuffer(4 * PLACES))

  add(conv: number): void {
    this.shared[conv & (PLACES - 1)]! += 1
  }
  delete(conv: number): void {
    this.shared[conv & (PLACES - 1)]! -= 1
  }
}

export const mayBeKnown = (shared: Uint32Array, conv: number): boolean =>
  shared[conv & (PLACES - 1)]! > 0
