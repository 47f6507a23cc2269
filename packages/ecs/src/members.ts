import type { Component } from './component.ts'
import type { EntityCore } from './entity-core.ts'
import type { Entity } from './entity.ts'

/**
 * The dense list of what a query finds: one column per component class and one of entities, row by row. Removing
 * moves the last row into the gap.
 */
export class Members {
  readonly columns: readonly Component[][]
  readonly entities: Entity[] = []
  readonly cores: EntityCore[] = []
  /** For each row, which of its entity's `rows` points here. */
  readonly #slots: number[] = []

  constructor(width: number) {
    this.columns = Array.from({ length: width }, () => [])
  }

  join(core: EntityCore, slot: number, indexes: readonly number[]): number {
    const { columns } = this
    for (let column = 0; column < columns.length; column += 1)
      columns[column]!.push(core.parts[indexes[column]!]!)
    this.entities.push(core.entity)
    this.#slots.push(slot)
    return this.cores.push(core) - 1
  }

  refresh(row: number, core: EntityCore, slot: number, indexes: readonly number[]): void {
    const { columns } = this
    for (let column = 0; column < columns.length; column += 1)
      columns[column]![row] = core.parts[indexes[column]!]!
    this.#slots[row] = slot
  }

  /** @param row - `undefined` for an entity that waited for a change when this list was made. */
  leave(row: number | undefined): void {
    if (row === undefined) return
    const { columns, entities, cores } = this
    const lastCore = cores.pop()!
    const lastEntity = entities.pop()!
    const lastSlot = this.#slots.pop()!
    const isLast = row === cores.length
    for (let column = 0; column < columns.length; column += 1) {
      const last = columns[column]!.pop()!
      if (!isLast) columns[column]![row] = last
    }
    if (isLast) return
    cores[row] = lastCore
    entities[row] = lastEntity
    this.#slots[row] = lastSlot
    lastCore.rows[lastSlot] = row
  }
}
