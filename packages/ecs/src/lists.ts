import { PartTypes, type Blueprint, type ComponentType, type EntityClass } from './blueprint.ts'
import type { EntityCore } from './entity-core.ts'
import type { ComponentClass } from './entity.ts'
import { Members } from './members.ts'
import { Shape } from './shape.ts'

/** What a list holds: for a shape, the component indexes that fill its columns; `undefined` if it holds none of it. */
type Filter = (shape: Shape) => number[] | undefined

interface ListEntry {
  readonly members: Members
  readonly filter: Filter
}

/** The lists and shapes of a world, and which shape is in which list. */
export class Lists {
  readonly #shapes = new Map<string, Shape>()
  readonly #lists = new Map<string, ListEntry>()
  readonly #ids = new Map<object, number>()
  readonly #living: () => readonly EntityCore[]

  /** @param living - The entities alive now, for lists that are made late. */
  constructor(living: () => readonly EntityCore[]) {
    this.#living = living
  }

  get shapeCount(): number {
    return this.#shapes.size
  }

  get listCount(): number {
    return this.#lists.size
  }

  /** Entities with all of `classes`, or their subclasses, and none of `excluded`. */
  ofComponents(
    classes: readonly ComponentClass[],
    excluded: readonly ComponentClass[],
  ): { key: string; members: Members } {
    const without = [...new Set(excluded.map((Class) => this.#idOf(Class)))].sort((a, b) => a - b)
    const key = `${classes.map((Class) => this.#idOf(Class)).join()}!${without.join()}`
    const members = this.#members(key, classes.length, ({ types }) => {
      const columns = classes.map((Class) => types.indexOf(Class))
      const isOut = columns.includes(-1) || excluded.some((Class) => types.indexOf(Class) !== -1)
      return isOut ? undefined : columns
    })
    return { key, members }
  }

  /** Entities with a component of exactly this class. */
  ofType({ Class }: ComponentType): Members {
    return this.#members(`=${this.#idOf(Class)}`, 1, ({ types }) => {
      const index = types.exactIndexOf(Class)
      return index === -1 ? undefined : [index]
    })
  }

  /** Entities of this class and its subclasses. */
  ofEntities(Class: EntityClass): Members {
    return this.#members(`@${this.#idOf(Class)}`, 0, ({ blueprint }) =>
      blueprint.Class === Class || blueprint.Class.prototype instanceof Class ? [] : undefined,
    )
  }

  /** Entities of exactly this class. */
  ofBlueprint(wanted: Blueprint): Members {
    return this.#members(`@=${this.#idOf(wanted.Class)}`, 0, ({ blueprint }) =>
      blueprint === wanted ? [] : undefined,
    )
  }

  /** The shape of an entity class as it is spawned. */
  shapeOf(blueprint: Blueprint): Shape {
    return this.#shape(blueprint, blueprint.types.list)
  }

  /** The shape with one more component, which goes to the place this returns. */
  shapeWith(shape: Shape, type: ComponentType): Shape {
    let next = shape.withType.get(type)
    if (next === undefined) {
      const { list } = shape.types
      const declared = shape.blueprint.types.list.length
      // Added components stand in one order, whichever came first: else n of them would make n! shapes.
      const added = [...list.slice(declared), type].sort(
        (a, b) => this.#idOf(a.Class) - this.#idOf(b.Class),
      )
      next = this.#shape(shape.blueprint, [...list.slice(0, declared), ...added])
      shape.withType.set(type, next)
    }
    return next
  }

  shapeWithout(shape: Shape, type: ComponentType): Shape {
    let next = shape.withoutType.get(type)
    if (next === undefined) {
      next = this.#shape(
        shape.blueprint,
        shape.types.list.filter((other) => other !== type),
      )
      shape.withoutType.set(type, next)
    }
    return next
  }

  #shape(blueprint: Blueprint, list: readonly ComponentType[]): Shape {
    const key = `${this.#idOf(blueprint.Class)}|${list.map(({ Class }) => this.#idOf(Class)).join()}`
    let shape = this.#shapes.get(key)
    if (shape === undefined) {
      const types = list === blueprint.types.list ? blueprint.types : new PartTypes(list)
      shape = new Shape(blueprint, types)
      this.#shapes.set(key, shape)
      for (const { members, filter } of this.#lists.values()) {
        const columns = filter(shape)
        if (columns !== undefined) shape.addQuery(members, columns)
      }
    }
    return shape
  }

  #members(key: string, width: number, filter: Filter): Members {
    const known = this.#lists.get(key)
    if (known !== undefined) return known.members
    const members = new Members(width)
    this.#lists.set(key, { members, filter })
    for (const shape of this.#shapes.values()) {
      shape.forgetEdges()
      const columns = filter(shape)
      if (columns !== undefined) shape.addQuery(members, columns)
    }
    // Who waits to be listed anew joins then: its components may be others than those it is listed with.
    for (const core of this.#living()) if (!core.isQueued) core.listed?.enterLast(core, members)
    return members
  }

  #idOf(Class: object): number {
    let id = this.#ids.get(Class)
    if (id === undefined) this.#ids.set(Class, (id = this.#ids.size))
    return id
  }
}
