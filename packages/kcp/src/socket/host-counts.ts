import { addressHost } from './address-prefix.ts'

/** How many sessions each host has; see `addressHost`. */
export class HostCounts {
  readonly #counts = new Map<string, number>()

  of(address: string): number {
    return this.#counts.get(addressHost(address)) ?? 0
  }

  add(address: string): void {
    this.#counts.set(addressHost(address), this.of(address) + 1)
  }

  delete(address: string): void {
    const left = this.of(address) - 1
    if (left <= 0) this.#counts.delete(addressHost(address))
    else this.#counts.set(addressHost(address), left)
  }
}
