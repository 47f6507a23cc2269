import type { EntityClass } from './blueprint.ts'
import type { Component } from './component.ts'
import { Engine } from './engine.ts'
import type { EntityList } from './entity-list.ts'
import type { ComponentClass, Entity } from './entity.ts'
import { coreOf } from './entity.ts'
import type { SpawnOptions, SystemOptions, WorldOptions } from './options.ts'
import type { Instances, Query } from './query.ts'

/** Code that runs in every step. Synchronous. */
export type System = (dtMs: number, world: World) => void

/** Counts to look at. */
export interface WorldStats {
  /** Living entities. */
  readonly entities: number
  /** Entity classes with a set of components that have occurred. */
  readonly shapes: number
  /** Lists kept: queries, finds and the ticks of classes. */
  readonly lists: number
  /** Steps done. */
  readonly steps: number
  /** Errors caught in systems and hooks. */
  readonly errors: number
}

/** All entities of one simulation, and the systems that move them. */
export class World {
  readonly #engine: Engine

  constructor(options: WorldOptions = {}) {
    this.#engine = new Engine(this, options)
  }

  /** How many entities are alive. */
  get size(): number {
    return this.#engine.size
  }

  /** Simulated milliseconds: the sum of all steps. */
  get time(): number {
    return this.#engine.time
  }

  /**
   * Makes an entity: components, restored data, `init`, then `onAwake` of each component in declared order and of
   * the entity, then `onStart`. Inside a system the entity joins queries, and starts, when the system ends.
   *
   * @throws {@link EcsError} `ECS_DUPLICATE_ID`, `ECS_WORLD_FULL`, `ECS_SHADOWED`, `ECS_BAD_VALUE`, or what a
   *   constructor, `init` or an `onAwake` threw; the entity is then destroyed again.
   */
  spawn<E extends Entity>(Class: new () => E, options: SpawnOptions<E> = {}): E {
    return this.#engine.spawn(Class, options)
  }

  /**
   * Destroys an entity: at once it is not `alive`, its id finds nothing, its signal is aborted, and `onDestroy` of the
   * entity and of each component, last to first, has run. Safe anywhere, also inside a loop over a query.
   *
   * @returns Whether it was alive here.
   */
  destroy(target: Entity | string): boolean {
    const core = typeof target === 'string' ? this.#engine.find(target) : coreOf(target)
    return core !== undefined && core.engine === this.#engine && this.#engine.destroy(core)
  }

  /** The living entity with this id; with a class, only if it is one of that class. */
  get(id: string): Entity | undefined
  get<E extends Entity>(id: string, Class: EntityClass<E>): E | undefined
  get(id: string, Class?: EntityClass): Entity | undefined {
    const entity = this.#engine.find(id)?.entity
    return Class === undefined || entity instanceof Class ? entity : undefined
  }

  /** The living entity with this handle. */
  at(handle: number): Entity | undefined {
    return this.#engine.at(handle)?.entity
  }

  /** The living entities of a class and its subclasses, as a live list. `find(Entity)` lists all. */
  find<E extends Entity>(Class: EntityClass<E>): EntityList<E> {
    return this.#engine.list(Class) as unknown as EntityList<E>
  }

  /**
   * The entities that have all of these components, as a live list. A class stands for its subclasses too. Asking
   * again for the same classes gives the same list.
   */
  query<const T extends readonly [ComponentClass, ...ComponentClass[]]>(
    ...classes: T
  ): Query<Instances<T>> {
    return this.#engine.query(classes, []) as unknown as Query<Instances<T>>
  }

  /** Runs code in every step. Returns the undo. */
  addSystem(system: System, options: SystemOptions = {}): () => void {
    return this.#engine.addSystem((dtMs) => system(dtMs, this), {
      order: options.order ?? 0,
      name: options.name ?? (system.name || 'system'),
    })
  }

  /**
   * Looks at classes now that would otherwise be looked at when they are first spawned: one throw-away instance of each
   * is constructed.
   *
   * @throws {@link EcsError} `ECS_SHADOWED` when a class field hides a declared field or component.
   */
  register(...classes: readonly (new () => Entity | Component)[]): void {
    for (const Class of classes) this.#engine.register(Class)
  }

  /**
   * Runs every system and then, for each class with an `onTick`, its instances: one step of `dtMs` simulated
   * milliseconds.
   *
   * @throws {@link EcsError} `ECS_STEPPING` inside a system, an `each` or a hook that a step runs.
   */
  step(dtMs: number): void {
    this.#engine.step(dtMs)
  }

  /** Destroys every entity, with its hooks. Systems and queries stay. */
  clear(): void {
    this.#engine.clear()
  }

  stats(): WorldStats {
    return this.#engine.stats()
  }
}
