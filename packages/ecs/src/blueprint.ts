import { generate } from './codegen.ts'
import type { Component } from './component.ts'
import { EcsError } from './errors.ts'
import type { ComponentClass, ComponentMap, Entity } from './entity.ts'
import { isIdentifier, isReserved } from './names.ts'

/** An entity class, as `find` names it. */
export type EntityClass<E extends Entity = Entity> = abstract new () => E

/** What the engine knows of a component class: which hooks it has. */
export class ComponentType {
  readonly Class: ComponentClass
  readonly hasAwake: boolean
  readonly hasStart: boolean
  readonly hasTick: boolean
  readonly hasDestroy: boolean
  /** Whether an instance was looked at for hidden fields. */
  isChecked = false

  constructor(Class: ComponentClass) {
    const { onAwake, onStart, onTick, onDestroy } = Class.prototype as Component
    this.Class = Class
    this.hasAwake = onAwake !== undefined
    this.hasStart = onStart !== undefined
    this.hasTick = onTick !== undefined
    this.hasDestroy = onDestroy !== undefined
  }
}

// Facts about classes, not state: every world may share them.
const types = new WeakMap<ComponentClass, ComponentType>()
const blueprints = new WeakMap<EntityClass, Blueprint>()

export function componentTypeOf(Class: ComponentClass): ComponentType {
  let type = types.get(Class)
  if (type === undefined) types.set(Class, (type = new ComponentType(Class)))
  return type
}

/** The component classes of an entity, in the order of its components. */
export class PartTypes {
  readonly list: readonly ComponentType[]
  readonly #found = new Map<ComponentClass, number>()

  constructor(list: readonly ComponentType[]) {
    this.list = list
  }

  /** The index of exactly this class, or -1. */
  exactIndexOf(Class: ComponentClass): number {
    const { list } = this
    for (let index = 0; index < list.length; index += 1)
      if (list[index]!.Class === Class) return index
    return -1
  }

  /** The index of this class or else of the first subclass of it, or -1. */
  indexOf(Class: ComponentClass): number {
    const exact = this.exactIndexOf(Class)
    if (exact !== -1) return exact
    let index = this.#found.get(Class)
    if (index === undefined) {
      index = this.list.findIndex((type) => type.Class.prototype instanceof Class)
      this.#found.set(Class, index)
    }
    return index
  }
}

/** What an entity class is made of. */
export interface Blueprint {
  readonly Class: EntityClass
  readonly names: readonly string[]
  readonly types: PartTypes
  readonly hooks: Pick<Entity, 'onAwake' | 'onStart' | 'onTick' | 'onDestroy'>
  /** Makes the components, as properties and as a list. */
  readonly build: (entity: Entity) => Component[]
  isChecked: boolean
}

export function blueprintOf(Class: EntityClass): Blueprint {
  let blueprint = blueprints.get(Class)
  if (blueprint === undefined) blueprints.set(Class, (blueprint = makeBlueprint(Class)))
  return blueprint
}

function makeBlueprint(Class: EntityClass): Blueprint {
  const components = Object.entries((Class as unknown as { components: ComponentMap }).components)
  const names = components.map(([name]) => name)
  const classes = components.map(([, component]) => component as new () => Component)
  return {
    Class,
    names,
    types: new PartTypes(classes.map(componentTypeOf)),
    hooks: Class.prototype as Entity,
    build: builder(names, classes),
    isChecked: false,
  }
}

function builder(
  names: readonly string[],
  classes: readonly (new () => Component)[],
): (entity: Entity) => Component[] {
  const lines = names.map(
    (name, index) => `const part${index} = new Class${index}(); entity.${name} = part${index}`,
  )
  const body = `return (entity) => {
${lines.join('\n')}
return [${names.map((_, index) => `part${index}`).join(', ')}]
}`
  return generate(
    classes.map((_, index) => `Class${index}`),
    body,
    classes,
    () => (entity) =>
      classes.map((Class, index) => {
        const part = new Class()
        ;(entity as unknown as Record<string, Component>)[names[index]!] = part
        return part
      }),
  )
}

/** The class that `Entity.with` returns. */
export function declareComponents(base: EntityClass, components: ComponentMap): EntityClass {
  const inherited = (base as unknown as { components: ComponentMap }).components
  for (const [name, Class] of Object.entries(components)) {
    if (!isIdentifier(name))
      throw new EcsError(
        'ECS_NAME_TAKEN',
        `"${name}" is no name for a component: use an identifier`,
      )
    if (name in base.prototype || isReserved(name))
      throw new EcsError('ECS_NAME_TAKEN', `${base.name} already has "${name}"`)
    const before = inherited[name]
    if (before !== undefined && before !== Class && !(Class.prototype instanceof before))
      throw new EcsError(
        'ECS_NAME_TAKEN',
        `${base.name}.${name} is a ${before.name}: ${Class.name} does not extend it`,
      )
  }
  const merged = { ...inherited, ...components }
  const classes = Object.values(merged)
  const twice = classes.find((Class, index) => classes.indexOf(Class) !== index)
  if (twice !== undefined)
    throw new EcsError('ECS_COMPONENT_PRESENT', `${base.name} would have ${twice.name} twice`)
  abstract class Composed extends base {}
  Object.defineProperty(Composed, 'name', { value: base.name })
  Object.defineProperty(Composed, 'components', { value: Object.freeze(merged) })
  return Composed
}

/** Throws when a class field of the entity class took the place of a declared component. */
export function refuseShadowedParts(
  blueprint: Blueprint,
  entity: Entity,
  parts: readonly Component[],
): void {
  blueprint.names.forEach((name, index) => {
    if ((entity as unknown as Record<string, unknown>)[name] === parts[index]) return
    throw new EcsError(
      'ECS_SHADOWED',
      `${blueprint.Class.name} declares ${name} again and hides the component of Entity.with`,
    )
  })
}
