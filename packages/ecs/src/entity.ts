import { blueprintOf, declareComponents } from './blueprint.ts'
import type { Component, ComponentData } from './component.ts'
import { EntityCore, takeSpawning } from './entity-core.ts'
import { EcsError } from './errors.ts'
import type { World } from './world.ts'

/** A component class, as `Entity.with`, `add` and queries name it. */
export type ComponentClass<C extends Component = Component> = abstract new () => C

/** Component classes by the property they become. */
export type ComponentMap = Readonly<Record<string, ComponentClass>>

/** The properties that declared components become. */
export type Parts<M extends ComponentMap> = { readonly [K in keyof M]: InstanceType<M[K]> }

type ParentComponents<B> = B extends { readonly components: infer C } ? C : unknown

/** What `Entity.with` returns: the class it was called on, with the components as typed properties. */
export type EntityWith<B extends abstract new () => Entity, M extends ComponentMap> = Omit<
  B,
  'prototype' | 'components'
> & {
  new (): InstanceType<B> & Parts<M>
  readonly components: Omit<ParentComponents<B>, keyof M> & M
}

/** The saved state of an entity: data of its declared components, under their property names. */
export type EntityData = Record<string, ComponentData>

let coreOfEntity: (entity: Entity) => EntityCore

/** An addressable game object: an id and components. */
export class Entity {
  /** The declared component classes by property name. */
  static readonly components: {} = {}
  /** When its class ticks in a step: smaller runs earlier. See `SystemOptions.order`. */
  static readonly tickOrder: number = 0

  readonly #core: EntityCore

  static {
    coreOfEntity = (entity) => entity.#core
  }

  /**
   * Use `world.spawn(Class)`. Constructed by hand, the entity has its components and belongs to no world: no hook
   * runs, and it has no id.
   */
  constructor() {
    this.#core = takeSpawning(new.target) ?? new EntityCore(blueprintOf(new.target))
    this.#core.attach(this)
  }

  /** The name under which the world finds it. Empty for an entity that belongs to no world. */
  get id(): string {
    return this.#core.id
  }

  /**
   * A number that names this entity in its world and no later one: `world.at(handle)` gives `undefined` once it is
   * destroyed. Below 2^53.
   */
  get handle(): number {
    return this.#core.handle
  }

  /** False before it is spawned and from the moment it is destroyed. */
  get alive(): boolean {
    return this.#core.isAlive
  }

  /** @throws {@link EcsError} `ECS_NO_WORLD` for an entity that was constructed by hand. */
  get world(): World {
    return this.#core.worldOf() as World
  }

  /** Aborted when the entity is destroyed: pass it to whatever waits on the entity's behalf. */
  get signal(): AbortSignal {
    return this.#core.signal
  }

  /** Its component of this class; a component of a subclass if there is none of the class itself. */
  get<C extends Component>(Class: ComponentClass<C>): C | undefined {
    return this.#core.find(Class) as C | undefined
  }

  /** Whether {@link get} would give a component. */
  has(Class: ComponentClass): boolean {
    return this.#core.find(Class) !== undefined
  }

  /**
   * Adds a component that the class does not declare. It is there at once; queries find it at the end of the
   * running system.
   *
   * @throws {@link EcsError} `ECS_COMPONENT_PRESENT`, `ECS_DESTROYED`, `ECS_NO_WORLD`.
   */
  add<C extends Component>(Class: new () => C, init?: (component: C) => void): C {
    return this.#core.add(Class, init as ((component: Component) => void) | undefined) as C
  }

  /**
   * Removes a component that {@link add} added.
   *
   * @returns Whether it was there.
   * @throws {@link EcsError} `ECS_DECLARED_COMPONENT` for one that the class declares.
   */
  remove(Class: ComponentClass): boolean {
    return this.#core.remove(Class)
  }

  /** The same as `world.destroy(entity)`. */
  destroy(): boolean {
    return this.#core.destroy()
  }

  /** The persisted fields of the declared components. Components without any are left out. */
  toData(): EntityData {
    const data: EntityData = {}
    for (const [name, component] of this.#core.declared()) {
      const part = component.toData()
      if (Object.keys(part).length > 0) data[name] = part
    }
    return data
  }

  /**
   * Restores what {@link toData} gave. Names without a declared component are ignored.
   *
   * @throws {@link EcsError} `ECS_BAD_VALUE` when a value does not fit.
   */
  fromData(data: EntityData): void {
    for (const [name, component] of this.#core.declared()) {
      if (!Object.hasOwn(data, name)) continue
      const part: unknown = data[name]
      if (typeof part !== 'object' || part === null)
        throw new EcsError('ECS_BAD_VALUE', `${name}: must be an object, not ${String(part)}`)
      component.fromData(part as ComponentData)
    }
  }

  /** Runs at spawn, after every component's. */
  onAwake?(): void
  /** Runs once, when queries have begun to find the entity. */
  onStart?(): void
  /** Runs in each step of the world. Synchronous. */
  onTick?(dtMs: number): void
  /** Runs when it is destroyed, before every component's. */
  onDestroy?(): void

  /**
   * A base class with these components as properties: `class Avatar extends Entity.with({ bag: Bag }) {}`. Called on
   * a subclass it adds to the components of that class; a name given again must hold a subclass of what it held.
   *
   * @throws {@link EcsError} `ECS_NAME_TAKEN`.
   */
  static with<B extends abstract new () => Entity, const M extends ComponentMap>(
    this: B,
    components: M,
  ): EntityWith<B, M> {
    return declareComponents(this, components) as unknown as EntityWith<B, M>
  }
}

export const coreOf = (entity: Entity): EntityCore => coreOfEntity(entity)
