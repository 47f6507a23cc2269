import { refuseShadowedParts, type ComponentType } from './blueprint.ts'
import type { Component } from './component.ts'
import { setOwner } from './component-state.ts'
import { refuseShadows } from './declared-fields.ts'
import { setSpawning, type EntityCore } from './entity-core.ts'
import type { Entity } from './entity.ts'

/** Constructs an entity around its core. The first one of a class is looked at for hidden fields. */
export function constructEntity<E extends Entity>(Class: new () => E, core: EntityCore): E {
  setSpawning(core)
  let entity: E
  try {
    entity = new Class()
  } finally {
    setSpawning(undefined)
  }
  const { blueprint } = core
  if (!blueprint.isChecked) {
    refuseShadowedParts(blueprint, entity, core.parts)
    blueprint.types.list.forEach((type, index) => checkType(type, core.parts[index]!))
    blueprint.isChecked = true
  }
  return entity
}

/** Constructs a component that belongs to an entity. */
export function constructPart(
  Class: new () => Component,
  type: ComponentType,
  owner: Entity | undefined,
): Component {
  const before = setOwner(owner)
  let part: Component
  try {
    part = new Class()
  } finally {
    setOwner(before)
  }
  checkType(type, part)
  return part
}

function checkType(type: ComponentType, part: Component): void {
  if (type.isChecked) return
  refuseShadows(part)
  type.isChecked = true
}
