import type { Component } from './component.ts'
import type { Engine } from './engine.ts'
import type { ComponentClass, Entity } from './entity.ts'
import { isGone, makeEachLoop, type EachLoop } from './loops.ts'
import type { Members } from './members.ts'

/** The components that classes stand for. */
export type Instances<T extends readonly ComponentClass[]> = {
  -readonly [I in keyof T]: T[I] extends ComponentClass<infer C> ? C : never
}

/**
 * The entities that have certain components: a live list, kept up to date by every change and shared by all who
 * ask for the same classes.
 *
 * While a system or an `each` runs, the list stands still: what is spawned meanwhile joins when it ends, and what
 * is destroyed or loses a component is skipped at once.
 */
export interface Query<T extends readonly Component[]> extends Iterable<[...T, Entity]> {
  /** How many entities the list holds. */
  readonly count: number
  /** The entities of the list. The array is live: read it, do not keep it over a change. */
  readonly entities: readonly Entity[]
  /** Calls `fn(...components, entity)` for every row: the fastest walk. An error thrown by `fn` ends it. */
  each(fn: (...row: [...T, Entity]) => void): void
  /** The first row, if any. */
  first(): [...T, Entity] | undefined
  /** Rows of `[...components, entity]` as they were when the iteration began, without those gone since. */
  [Symbol.iterator](): IterableIterator<[...T, Entity]>
  /** The same query without the entities that have any of these components. */
  without(...classes: readonly ComponentClass[]): Query<T>
}

/** The one implementation of {@link Query}. */
export class LiveQuery implements Query<Component[]> {
  readonly #engine: Engine
  readonly #members: Members
  readonly #loop: EachLoop
  readonly #classes: readonly ComponentClass[]
  readonly #excluded: readonly ComponentClass[]

  constructor(
    engine: Engine,
    members: Members,
    classes: readonly ComponentClass[],
    excluded: readonly ComponentClass[],
  ) {
    this.#engine = engine
    this.#members = members
    this.#classes = classes
    this.#excluded = excluded
    this.#loop = makeEachLoop(classes.length)
  }

  get count(): number {
    return this.#members.cores.length
  }

  get entities(): readonly Entity[] {
    return this.#members.entities
  }

  each(fn: (...row: [...Component[], Entity]) => void): void {
    this.#engine.walk(this.#loop, fn as (...row: unknown[]) => void, this.#members)
  }

  first(): [...Component[], Entity] | undefined {
    for (const row of this) return row
    return undefined
  }

  *[Symbol.iterator](): Generator<[...Component[], Entity], void, void> {
    const columns = this.#members.columns.map((column) => column.slice())
    const entities = this.#members.entities.slice()
    for (let row = 0; row < entities.length; row += 1) {
      const parts = columns.map((column) => column[row]!)
      if (!parts.some(isGone)) yield [...parts, entities[row]!]
    }
  }

  without(...classes: readonly ComponentClass[]): Query<Component[]> {
    return this.#engine.query(this.#classes, [...this.#excluded, ...classes])
  }
}
