import type { Engine } from './engine.ts'
import type { Entity } from './entity.ts'
import { makeEachLoop } from './loops.ts'
import type { Members } from './members.ts'

/** The entities of a class and its subclasses: a live list under the rules of `Query`. */
export interface EntityList<E extends Entity> extends Iterable<E> {
  /** How many entities the list holds. */
  readonly count: number
  /** The list itself. The array is live: read it, do not keep it over a change. */
  readonly entities: readonly E[]
  /** Calls `fn` for every entity. An error thrown by `fn` ends the walk. */
  each(fn: (entity: E) => void): void
  /** The first entity, if any. */
  first(): E | undefined
  /** The entities as they were when the iteration began, without those destroyed since. */
  [Symbol.iterator](): IterableIterator<E>
}

/** The one implementation of {@link EntityList}. */
export class LiveEntityList implements EntityList<Entity> {
  readonly #engine: Engine
  readonly #members: Members

  constructor(engine: Engine, members: Members) {
    this.#engine = engine
    this.#members = members
  }

  get count(): number {
    return this.#members.cores.length
  }

  get entities(): readonly Entity[] {
    return this.#members.entities
  }

  each(fn: (entity: Entity) => void): void {
    this.#engine.walk(loop, fn as (...row: unknown[]) => void, this.#members)
  }

  first(): Entity | undefined {
    for (const entity of this) return entity
    return undefined
  }

  *[Symbol.iterator](): Generator<Entity, void, void> {
    for (const entity of this.entities.slice()) if (entity.alive) yield entity
  }
}

const loop = makeEachLoop(0)
