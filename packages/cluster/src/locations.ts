import type { Registry } from '@rts/discovery'
import type { EntityRef } from '@rts/rpc'
import { decodeLocation, rootKey } from './location.ts'

const MAX_CACHED = 10_000

/**
 * Where roots live, as this node last heard. A guess that turns out wrong is forgotten and asked again; the claim in the
 * registry is the truth.
 */
export class Locations {
  readonly #registry: Registry
  readonly #urls = new Map<string, string>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /**
   * The address of the node that holds the root, or undefined when nobody does.
   *
   * @param wrong - An address where it was not.
   */
  async locate(ref: EntityRef, wrong?: string): Promise<string | undefined> {
    if (wrong !== undefined && this.#urls.get(ref.id) === wrong) this.#urls.delete(ref.id)
    const known = this.#urls.get(ref.id)
    if (known !== undefined) return known
    const slash = ref.id.indexOf('/')
    const holder = await this.#registry.holder(
      rootKey(ref.id.slice(0, slash), ref.id.slice(slash + 1)),
    )
    const url = holder === undefined ? undefined : decodeLocation(holder.value)?.url
    if (url !== undefined) this.#remember(ref.id, url)
    return url
  }

  #remember(rpcId: string, url: string): void {
    if (this.#urls.size >= MAX_CACHED) this.#urls.delete(this.#urls.keys().next().value ?? '')
    this.#urls.set(rpcId, url)
  }
}
