import type { Component } from './component.ts'
import type { Entity } from './entity.ts'

/** Where a component is in its life. Loops skip what is GONE. */
export const MADE = 0
export const STARTED = 1
export const GONE = 2

/**
 * What the engine keeps on a component beside its fields. The keys cannot be written as identifiers, so no field of
 * a subclass can take their place; they are ordinary properties, because generated code must reach them and a
 * class that was replaced at run time must still read its old instances.
 */
export interface ComponentState {
  entity: Entity | undefined
  '~life': number
  /** Bits written since the readers were last told. Absent without declared fields. */
  '~dirty'?: number
  '~any'?: number
  '~persist'?: number
  '~sync'?: number
}

export const stateOf = (component: Component): ComponentState =>
  component as unknown as ComponentState

let owner: Entity | undefined

/** The entity that components constructed now belong to. */
export const currentOwner = (): Entity | undefined => owner

/** Names the owner of components about to be constructed and returns the one before, to be put back. */
export function setOwner(next: Entity | undefined): Entity | undefined {
  const before = owner
  owner = next
  return before
}
