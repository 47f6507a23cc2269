import type { AddressTarget } from './address-target.ts'

const FIRST_SWEEP = 256

/**
 * The addresses a node has called, one target each. One that nobody needs any more (no remote leads there, no link is open or
 * dialled) is forgotten: a node that outlives many others keeps nothing of them.
 */
export class AddressBook {
  readonly #targets = new Map<string, WeakRef<AddressTarget>>()
  #sweepAt = FIRST_SWEEP

  get size(): number {
    return this.#targets.size
  }

  get(url: string): AddressTarget | undefined {
    return this.#targets.get(url)?.deref()
  }

  set(url: string, target: AddressTarget): void {
    if (this.#targets.size >= this.#sweepAt) this.#sweep()
    this.#targets.set(url, new WeakRef(target))
  }

  values(): AddressTarget[] {
    return [...this.#targets.values()].flatMap((target) => target.deref() ?? [])
  }

  #sweep(): void {
    for (const [url, target] of this.#targets) {
      if (target.deref() === undefined) this.#targets.delete(url)
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#targets.size * 2)
  }
}
