import type { Component, FieldMap } from './component.ts'
import { stateOf } from './component-state.ts'
import { generate } from './codegen.ts'
import { EcsError } from './errors.ts'
import { isIdentifier, isReserved } from './names.ts'
import { coerce, type Field } from './fields.ts'

/** Bit masks stay small integers, which engines keep unboxed. */
const MAX_FIELDS = 30
const LAYOUT = '~layout'

/** One declared field of a class. */
export interface FieldEntry {
  readonly name: string
  readonly field: Field<unknown>
  /** Its bit in dirty masks. */
  readonly bit: number
  /** The property that holds the value behind the accessor. */
  readonly slot: string
  /** The field in words, for errors. */
  readonly where: string
}

/** All declared fields of a class, those of its parents first. */
export class Layout {
  readonly entries: readonly FieldEntry[]
  readonly all: number
  readonly persisted: number
  readonly synced: number
  readonly #bits: ReadonlyMap<string, number>

  constructor(entries: readonly FieldEntry[]) {
    const maskOf = (chosen: readonly FieldEntry[]): number =>
      chosen.reduce((mask, { bit }) => mask | bit, 0)
    this.entries = entries
    this.all = maskOf(entries)
    this.persisted = maskOf(entries.filter(({ field }) => field.persisted))
    this.synced = maskOf(entries.filter(({ field }) => field.audience !== undefined))
    this.#bits = new Map(entries.map(({ name, bit }) => [name, bit]))
  }

  bitOf(name: string): number {
    const bit = this.#bits.get(name)
    if (bit === undefined) throw new TypeError(`"${name}" is not a declared field`)
    return bit
  }
}

const EMPTY = new Layout([])

const layoutOfPrototype = (prototype: object): Layout =>
  (prototype as { [LAYOUT]?: Layout })[LAYOUT] ?? EMPTY

export const layoutOf = (component: Component): Layout => layoutOfPrototype(component)

type Base = abstract new () => Component

/** The class that `Component.with` returns: `base` with one accessor for each field. */
export function declareFields(base: Base, fields: FieldMap): Base {
  const parents = layoutOfPrototype(base.prototype).entries
  if (parents.length + Object.keys(fields).length > MAX_FIELDS)
    throw new EcsError(
      'ECS_TOO_MANY_FIELDS',
      `a component may declare ${MAX_FIELDS} fields, ${nameOf(base)} would have ${parents.length + Object.keys(fields).length}`,
    )
  const own = Object.entries(fields).map(([name, field], index): FieldEntry => {
    checkName(base, name)
    const where = `${name} (${field.kind})`
    return { name, field, bit: 1 << (parents.length + index), slot: `~${name}`, where }
  })
  const Declared = generate<Base>(
    ['Base', 'own', 'initial', 'write'],
    classText(own),
    [base, own, own.map(initialOf), writeSlow],
    () => classByClosures(base, own),
  )
  Object.defineProperty(Declared, 'name', { value: nameOf(base) })
  Object.defineProperty(Declared, 'fields', {
    value: Object.freeze({ ...(base as unknown as { fields: FieldMap }).fields, ...fields }),
  })
  Object.defineProperty(Declared.prototype, LAYOUT, { value: new Layout([...parents, ...own]) })
  return Declared
}

function checkName(base: Base, name: string): void {
  if (!isIdentifier(name))
    throw new EcsError('ECS_NAME_TAKEN', `"${name}" is no name for a field: use an identifier`)
  if (name in base.prototype || isReserved(name) || name === 'entity')
    throw new EcsError('ECS_NAME_TAKEN', `${nameOf(base)} already has "${name}"`)
}

const nameOf = (base: { readonly name: string }): string => base.name || 'a component'

/** A fresh tree for each instance; every other kind of value is immutable. */
const initialOf = ({ field }: FieldEntry): (() => unknown) | undefined =>
  field.kind === 'json' ? () => structuredClone(field.initial) : undefined

/** Checks and stores a value that is not of the plain, common form. */
function writeSlow(
  component: Component,
  { field, slot, bit, where }: FieldEntry,
  value: unknown,
): void {
  const stored = coerce(field, value, `${component.constructor.name}.${where}`)
  const target = component as unknown as Record<string, unknown>
  if (Object.is(target[slot], stored)) return
  target[slot] = stored
  stateOf(component)['~dirty']! |= bit
}

function classText(own: readonly FieldEntry[]): string {
  const slots = own.map(({ slot }) => `this[${JSON.stringify(slot)}]`)
  const starts = own.map(({ field }, index) =>
    field.kind === 'json' ? `initial[${index}]()` : literal(field.initial),
  )
  const accessors = own.map(
    ({ name, field, bit }, index) => `
  get ${name}() { return ${slots[index]} }
  set ${name}(value) {
    if (${plainTest(field)}) {
      if (${slots[index]} !== value) { ${slots[index]} = ${normal(field)}; this['~dirty'] |= ${bit} }
    } else write(this, own${index}, value)
  }`,
  )
  return `
${own.map((_, index) => `const own${index} = own[${index}]`).join('\n')}
return class extends Base {
  constructor() {
    super()
    if (this['~dirty'] === undefined) { this['~dirty'] = 0; this['~any'] = 0; this['~persist'] = 0; this['~sync'] = 0 }
    ${own.map((_, index) => `${slots[index]} = ${starts[index]}`).join('\n    ')}
  }${accessors.join('')}
}`
}

const literal = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'boolean'
    ? JSON.stringify(value)
    : `${String(value)}`

/** True for values that can be stored as they are; the rest goes through {@link coerce}. */
function plainTest({ kind, min, max }: Field<unknown>): string {
  const inRange = `value >= ${min} && value <= ${max}`
  switch (kind) {
    case 'bool':
      return 'value === true || value === false'
    case 'str':
      return "typeof value === 'string'"
    case 'json':
      return 'false'
    case 'f64':
      return `typeof value === 'number' && ${inRange}`
    case 'f32':
      return `typeof value === 'number' && ${inRange} && Math.fround(value) === value`
    default: {
      const asWhole = kind === 'u32' ? 'value >>> 0' : '(value | 0)'
      return `typeof value === 'number' && ${asWhole} === value && ${inRange}`
    }
  }
}

/** Whole numbers are stored without the sign of -0. */
const normal = ({ kind }: Field<unknown>): string =>
  /^[iu]/.test(kind) ? (kind === 'u32' ? 'value >>> 0' : 'value | 0') : 'value'

function classByClosures(base: Base, own: readonly FieldEntry[]): Base {
  abstract class Declared extends base {
    constructor() {
      super()
      const state = stateOf(this)
      if (state['~dirty'] === undefined)
        Object.assign(state, { '~dirty': 0, '~any': 0, '~persist': 0, '~sync': 0 })
      const target = this as unknown as Record<string, unknown>
      for (const entry of own) target[entry.slot] = initialOf(entry)?.() ?? entry.field.initial
    }
  }
  for (const entry of own) {
    const { name, slot } = entry
    Object.defineProperty(Declared.prototype, name, {
      configurable: true,
      get(this: Record<string, unknown>): unknown {
        return this[slot]
      },
      set(this: Component, value: unknown): void {
        writeSlow(this, entry, value)
      },
    })
  }
  return Declared
}

/**
 * Throws when a class field or an accessor of a subclass hides a declared field: writes to it would be lost
 * to saving and synchronisation without a word.
 */
export function refuseShadows(component: Component): void {
  for (const { name } of layoutOf(component).entries) {
    let holder: object | null = component
    while (holder !== null && !Object.hasOwn(holder, name)) holder = Object.getPrototypeOf(holder)
    if (holder !== null && Object.hasOwn(holder, LAYOUT) && holder !== component) continue
    const owner = component.constructor.name
    throw new EcsError(
      'ECS_SHADOWED',
      `${owner} declares ${name} again and hides the field of Component.with: set its initial value there, or assign this.${name} in the constructor`,
    )
  }
}
