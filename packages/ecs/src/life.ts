import type { CaughtErrors } from './caught-errors.ts'
import type { Component } from './component.ts'
import { GONE, MADE, STARTED, stateOf } from './component-state.ts'
import type { EntityCore } from './entity-core.ts'

/** Runs `onAwake` of the declared components and of the entity. Remembers how far it came, for the way back. */
export function awake(core: EntityCore): void {
  const { entity, parts } = core
  const { types, hooks } = core.blueprint
  const { list } = types
  for (let index = 0; index < list.length; index += 1) {
    core.awoken = index + 1
    if (!list[index]!.hasAwake) continue
    try {
      parts[index]!.onAwake!()
    } catch (error) {
      core.awoken = index
      throw error
    }
    if (!core.isAlive) return
  }
  core.isAwake = true
  if (hooks.onAwake === undefined) return
  try {
    entity.onAwake!()
  } catch (error) {
    core.isAwake = false
    throw error
  }
}

/** Runs every `onStart` of an entity that has not run yet. */
export function start(core: EntityCore, errors: CaughtErrors): void {
  const { entity } = core
  for (const part of [...core.parts]) {
    const state = stateOf(part)
    if (state['~life'] !== MADE) continue
    state['~life'] = STARTED
    if (part.onStart === undefined) continue
    try {
      part.onStart()
    } catch (error) {
      errors.report(error, { phase: 'start', name: part.constructor.name, entity })
    }
  }
  if (core.isStarted || !core.isAlive) return
  core.isStarted = true
  try {
    entity.onStart?.()
  } catch (error) {
    errors.report(error, { phase: 'start', name: entity.constructor.name, entity })
  }
}

/** Runs `onDestroy` of the entity and of its components, last to first, as far as they were awake. */
export function end(core: EntityCore, errors: CaughtErrors): void {
  const { entity, parts, blueprint } = core
  for (const part of parts) stateOf(part)['~life'] = GONE
  core.abort()
  if (core.isAwake && blueprint.hooks.onDestroy !== undefined) {
    try {
      entity.onDestroy!()
    } catch (error) {
      errors.report(error, { phase: 'destroy', name: entity.constructor.name, entity })
    }
  }
  const declared = blueprint.names.length
  for (let index = parts.length - 1; index >= 0; index -= 1)
    if (index >= declared || index < core.awoken) endPart(core, parts[index]!, errors)
}

/** Runs `onDestroy` of one component. */
export function endPart({ entity }: EntityCore, part: Component, errors: CaughtErrors): void {
  if (part.onDestroy === undefined) return
  try {
    part.onDestroy()
  } catch (error) {
    errors.report(error, { phase: 'destroy', name: part.constructor.name, entity })
  }
}
