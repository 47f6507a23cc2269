import { ClusterError } from './errors.ts'

/**
 * A class whose instances are roots: found anywhere in the cluster by type and id.
 * The wire name is `static wireName`, or the class's own name.
 */
export interface EntityClass<E extends object = object> {
  new (...args: never[]): E
  readonly name: string
  readonly wireName?: string
}

export const wireNameOf = (type: EntityClass): string => type.wireName ?? type.name

/** The classes one node can hold, by wire name. */
export class EntityTypes {
  readonly #byName = new Map<string, EntityClass>()

  /** @throws ClusterError `CLUSTER_DUPLICATE_NAME` when two classes share one wire name. */
  constructor(types: readonly EntityClass[]) {
    for (const type of types) {
      const name = wireNameOf(type)
      if (this.#byName.has(name)) {
        throw new ClusterError(
          'CLUSTER_DUPLICATE_NAME',
          `two entity classes share the wire name "${name}"; give one a static wireName`,
        )
      }
      this.#byName.set(name, type)
    }
  }

  /** @throws ClusterError `CLUSTER_UNKNOWN_TYPE` when no class has that wire name here. */
  byName(name: string): EntityClass {
    const type = this.#byName.get(name)
    if (type === undefined) {
      throw new ClusterError(
        'CLUSTER_UNKNOWN_TYPE',
        `this node holds no entities of type "${name}"`,
      )
    }
    return type
  }
}
