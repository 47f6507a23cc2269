import type { Changes } from './changes.ts'
import { generate } from './codegen.ts'
import type { Component } from './component.ts'
import { GONE, stateOf } from './component-state.ts'
import type { Entity } from './entity.ts'
import type { Members } from './members.ts'

/** Walks the rows of a query. */
export type EachLoop = (fn: (...row: unknown[]) => void, members: Members, changes: Changes) => void

export const isGone = (component: Component): boolean => stateOf(component)['~life'] === GONE

/** A loop for one query with `width` components per row. */
export function makeEachLoop(width: number): EachLoop {
  if (width === 0) return eachEntity
  const columns = Array.from({ length: width }, (_, index) => index)
  const body = `return (fn, members, changes) => {
  const entities = members.entities
  const length = entities.length
  ${columns.map((n) => `const column${n} = members.columns[${n}]`).join('\n  ')}
  for (let row = 0; row < length; row++) {
    ${columns.map((n) => `const part${n} = column${n}[row]`).join('\n    ')}
    if (changes.gone !== 0 && (${columns.map((n) => `part${n}['~life'] === ${GONE}`).join(' || ')})) continue
    fn(${columns.map((n) => `part${n}`).join(', ')}, entities[row])
  }
}`
  return generate<EachLoop>([], body, [], () => eachRow)
}

const eachEntity: EachLoop = (fn, { entities, cores }, changes) => {
  const { length } = cores
  for (let row = 0; row < length; row += 1)
    if (changes.gone === 0 || cores[row]!.isAlive) fn(entities[row]!)
}

const eachRow: EachLoop = (fn, { entities, columns }, changes) => {
  const { length } = entities
  for (let row = 0; row < length; row += 1) {
    const parts = columns.map((column) => column[row]!)
    if (changes.gone === 0 || !parts.some(isGone)) fn(...parts, entities[row]!)
  }
}

/** Calls `onTick` of every item; an error goes to `fail` and the walk continues after it. */
export type TickLoop = (
  items: readonly (Component | Entity)[],
  dtMs: number,
  changes: Changes,
  fail: (error: unknown, item: Component | Entity) => void,
) => void

/** A loop for one class: shared by all, it would run about five times slower. */
export function makeTickLoop(of: 'component' | 'entity'): TickLoop {
  const skips = of === 'component' ? `item['~life'] === ${GONE}` : '!item.alive'
  const body = `return (items, dtMs, changes, fail) => {
  const length = items.length
  let row = 0
  while (row < length) {
    try {
      for (; row < length; row++) {
        const item = items[row]
        if (changes.gone !== 0 && ${skips}) continue
        item.onTick(dtMs)
      }
    } catch (error) {
      fail(error, items[row])
      row++
    }
  }
}`
  return generate<TickLoop>([], body, [], () => tickLoopFor(of))
}

function tickLoopFor(of: 'component' | 'entity'): TickLoop {
  const skip = (item: Component | Entity): boolean =>
    of === 'component' ? isGone(item as Component) : !(item as Entity).alive
  return (items, dtMs, changes, fail) => {
    for (const item of items) {
      if (changes.gone !== 0 && skip(item)) continue
      try {
        item.onTick!(dtMs)
      } catch (error) {
        fail(error, item)
      }
    }
  }
}
