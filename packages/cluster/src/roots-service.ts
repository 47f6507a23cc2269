import type { EntityTypes } from './entity-types.ts'
import { ClusterError } from './errors.ts'
import type { Location, Plain } from './location.ts'
import type { Roots } from './roots.ts'

/** What nodes ask of one another about roots. */
export class RootsService {
  static readonly rpc = { create: 'server' } as const
  readonly #types: EntityTypes
  readonly #roots: Roots
  readonly #location: () => Location

  constructor(types: EntityTypes, roots: Roots, location: () => Location) {
    this.#types = types
    this.#roots = roots
    this.#location = location
  }

  /** Makes the root here, unless it lives somewhere: either way, says where it is. */
  async create(type: string, id: string, args: readonly Plain[]): Promise<Location> {
    try {
      await this.#roots.create(this.#types.byName(type), id, args)
      return this.#location()
    } catch (error) {
      if (error instanceof ClusterError && error.code === 'CLUSTER_OWNED_ELSEWHERE') {
        return { node: String(error.data?.['node']), url: String(error.data?.['url']) }
      }
      throw error
    }
  }
}
