import type { Blueprint, ComponentType, PartTypes } from './blueprint.ts'
import type { EntityCore } from './entity-core.ts'
import type { Members } from './members.ts'

/** How rows move when an entity becomes another shape. */
interface Edge {
  /** Places in `rows` of the old shape whose lists the entity leaves. */
  readonly leave: readonly number[]
  /** For each list of the new shape its place in the old one, or -1 where the entity joins. */
  readonly sources: readonly number[]
}

/** An entity class with a certain set of components: what decides which queries find an entity. */
export class Shape {
  readonly blueprint: Blueprint
  readonly types: PartTypes
  readonly needsStart: boolean
  /** The queries that find entities of this shape; an entity's `rows` are in the same order. */
  readonly queries: Members[] = []
  /** For each query, the index of the component that fills each of its columns. */
  readonly columns: number[][] = []
  /** The shapes one component further, by its class. */
  readonly withType: Map<ComponentType, Shape> = new Map<ComponentType, Shape>()
  readonly withoutType: Map<ComponentType, Shape> = new Map<ComponentType, Shape>()
  readonly #edges = new Map<Shape, Edge>()

  constructor(blueprint: Blueprint, types: PartTypes) {
    this.blueprint = blueprint
    this.types = types
    this.needsStart =
      blueprint.hooks.onStart !== undefined || types.list.some(({ hasStart }) => hasStart)
  }

  addQuery(members: Members, columns: number[]): void {
    this.queries.push(members)
    this.columns.push(columns)
  }

  forgetEdges(): void {
    this.#edges.clear()
  }

  /** Puts an entity that is in no list into those of this shape. */
  enter(core: EntityCore): void {
    const { queries, columns } = this
    const rows: number[] = []
    for (let slot = 0; slot < queries.length; slot += 1)
      rows.push(queries[slot]!.join(core, slot, columns[slot]!))
    core.rows = rows
    core.listed = this
  }

  /** Puts a listed entity into the list that was added last, if its shape is in it. */
  enterLast(core: EntityCore, members: Members): void {
    const slot = this.queries.length - 1
    if (this.queries[slot] === members)
      core.rows[slot] = members.join(core, slot, this.columns[slot]!)
  }

  /** Takes an entity out of all lists. */
  leave(core: EntityCore): void {
    const { queries } = this
    for (let slot = 0; slot < queries.length; slot += 1) queries[slot]!.leave(core.rows[slot])
    core.listed = undefined
  }

  /** Moves an entity from the lists of this shape to those of another. */
  change(core: EntityCore, to: Shape): void {
    const { leave, sources } = this.#edgeTo(to)
    for (let index = 0; index < leave.length; index += 1) {
      const slot = leave[index]!
      this.queries[slot]!.leave(core.rows[slot])
    }
    const rows: number[] = []
    for (let slot = 0; slot < sources.length; slot += 1) {
      const members = to.queries[slot]!
      const source = sources[slot]!
      const row = source === -1 ? undefined : core.rows[source]
      if (row === undefined) rows.push(members.join(core, slot, to.columns[slot]!))
      else {
        members.refresh(row, core, slot, to.columns[slot]!)
        rows.push(row)
      }
    }
    core.rows = rows
    core.listed = to
  }

  #edgeTo(to: Shape): Edge {
    let edge = this.#edges.get(to)
    if (edge === undefined) {
      edge = {
        leave: this.queries.flatMap((members, slot) =>
          to.queries.includes(members) ? [] : [slot],
        ),
        sources: to.queries.map((members) => this.queries.indexOf(members)),
      }
      this.#edges.set(to, edge)
    }
    return edge
  }
}
