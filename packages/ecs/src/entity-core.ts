import type { Blueprint, EntityClass, PartTypes } from './blueprint.ts'
import type { Component } from './component.ts'
import { setOwner } from './component-state.ts'
import type { Engine } from './engine.ts'
import type { ComponentClass, Entity } from './entity.ts'
import { EcsError } from './errors.ts'
import type { Shape } from './shape.ts'

// Replaced before anything is written to them.
const NO_PARTS: Component[] = []
const NO_ROWS: number[] = []

/** What the engine keeps of an entity. One class for all entities, so that its own loops see one shape. */
export class EntityCore {
  readonly blueprint: Blueprint
  readonly engine: Engine | undefined
  entity!: Entity
  handle = 0
  isAlive = false
  /** Its own `onAwake` has been reached. */
  isAwake = false
  /** It may be in lists: it is spawned completely. */
  isReady = false
  isStarted = false
  /** Declared components whose `onAwake` has been reached; all of them once the entity is awake. */
  awoken = 0
  parts: Component[] = NO_PARTS
  types: PartTypes
  /** What it is now. */
  shape: Shape | undefined
  /** What the lists hold it as: differs from `shape` until the running system ends. */
  listed: Shape | undefined
  /** Its row in each query of `listed`; none in a query that is younger than a change that waits. */
  rows: (number | undefined)[] = NO_ROWS
  isQueued = false
  #id: string | undefined
  #abort: AbortController | undefined

  constructor(blueprint: Blueprint, engine?: Engine, shape?: Shape, id?: string) {
    this.blueprint = blueprint
    this.types = blueprint.types
    this.engine = engine
    this.shape = shape
    this.#id = id
  }

  attach(entity: Entity): void {
    this.entity = entity
    const before = setOwner(entity)
    try {
      this.parts = this.blueprint.build(entity)
    } finally {
      setOwner(before)
    }
  }

  /** Made when first asked for: most short-lived entities are never named. */
  get id(): string {
    return (this.#id ??= this.engine?.nameFor(this) ?? '')
  }

  get hasId(): boolean {
    return this.#id !== undefined
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.engine !== undefined && !this.isAlive && this.handle !== 0) this.abort()
    }
    return this.#abort.signal
  }

  abort(): void {
    this.#abort?.abort(new EcsError('ECS_DESTROYED', `${this.blueprint.Class.name} was destroyed`))
  }

  worldOf(): unknown {
    return this.#engineOf().world
  }

  find(Class: ComponentClass): Component | undefined {
    const index = this.types.indexOf(Class)
    return index === -1 ? undefined : this.parts[index]
  }

  add(Class: new () => Component, init: ((component: Component) => void) | undefined): Component {
    return this.#engineOf().add(this, Class, init)
  }

  remove(Class: ComponentClass): boolean {
    return this.#engineOf().remove(this, Class)
  }

  destroy(): boolean {
    return this.engine?.destroy(this) ?? false
  }

  declared(): [name: string, component: Component][] {
    return this.blueprint.names.map((name, index) => [name, this.parts[index]!])
  }

  #engineOf(): Engine {
    if (this.engine !== undefined) return this.engine
    throw new EcsError(
      'ECS_NO_WORLD',
      `this ${this.blueprint.Class.name} was constructed by hand: use world.spawn`,
    )
  }
}

let spawning: EntityCore | undefined

/** Says which core the next constructed entity of its class takes. */
export function setSpawning(core: EntityCore | undefined): void {
  spawning = core
}

/** The core prepared for an entity of this class, once. */
export function takeSpawning(Class: EntityClass): EntityCore | undefined {
  if (spawning?.blueprint.Class !== Class) return undefined
  const core = spawning
  spawning = undefined
  return core
}
