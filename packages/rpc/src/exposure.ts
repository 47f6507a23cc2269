import type { ArgumentsSchema } from './standard-schema.ts'
import type { MethodLimit } from './method-gate.ts'
import type { CallerKind } from './remote-types.ts'

/** One callable method: where it is inside its target, and who may call it. */
export interface ExposedMethod {
  /** Component names from the target down. */
  readonly path: readonly string[]
  readonly name: string
  /** Bits of {@link CALLER_BIT}. */
  readonly callers: number
  /** For the arguments of callers that are no servers. */
  readonly schema: ArgumentsSchema | undefined
  readonly limit: MethodLimit | undefined
  /** Calls in a row whose result was no promise. */
  syncRuns: number
}

/** By `bag.use`. */
export type ExposedMethods = ReadonlyMap<string, ExposedMethod>

export const CALLER_BIT: Readonly<Record<CallerKind, number>> = { server: 1, player: 2, admin: 4 }

type Table = Readonly<Record<string, unknown>>
interface Tables {
  readonly name?: string
  readonly rpc?: Table
  readonly validate?: Table
  readonly limits?: Table
  readonly components?: Readonly<Record<string, Tables & { readonly prototype?: object }>>
}

interface Compiled {
  readonly rpc: unknown
  readonly validate: unknown
  readonly limits: unknown
  readonly components: unknown
  readonly methods: ExposedMethods
}

const MAX_COMPONENT_DEPTH = 8
let marks: ((holder: object | undefined) => Table) | undefined

/** From now on methods are open by their marks, too. */
export function readMarksBy(read: (holder: object | undefined) => Table): void {
  marks = read
}

const compiled = new WeakMap<object, Compiled>()

/**
 * The methods of an object by its class's `static rpc` table and, through `static components`, those of
 * its components. Compiled once per class, again when the class gets another table.
 *
 * @throws TypeError when a table names what is not a method, or gives a caller kind that does not exist.
 */
export function exposeByClass(target: object): ExposedMethods {
  const type = target.constructor as (Tables & object) | undefined
  if (type === undefined) throw new TypeError('the object has no class: give a table')
  const known = compiled.get(type)
  const { rpc, validate, limits, components } = type
  if (
    known !== undefined &&
    known.rpc === rpc &&
    known.validate === validate &&
    known.limits === limits &&
    known.components === components
  ) {
    return known.methods
  }
  const methods = new Map<string, ExposedMethod>()
  addClass(methods, type, target, [], type.name ?? 'object')
  if (methods.size === 0) {
    throw new TypeError(`${type.name ?? 'the object'} has no rpc table: nothing to expose`)
  }
  compiled.set(type, { rpc, validate, limits, components, methods })
  return methods
}

/** The methods of an object by a table given for it. @throws TypeError as {@link exposeByClass} does. */
export function exposeByTable(target: object, table: object, name: string): ExposedMethods {
  const methods = new Map<string, ExposedMethod>()
  addTable(methods, table as Table, (target.constructor ?? {}) as Tables, target, [], name)
  return methods
}

/** Finds the object that holds the method now, components followed. `undefined` when it is not there. */
export function holderOf(
  target: object,
  method: ExposedMethod,
): Record<string, unknown> | undefined {
  let holder = target as Record<string, unknown>
  const { path } = method
  for (let i = 0; i < path.length; i++) {
    const part = holder[path[i]!]
    if (typeof part !== 'object' || part === null) return undefined
    holder = part as Record<string, unknown>
  }
  return typeof holder[method.name] === 'function' ? holder : undefined
}

function addClass(
  methods: Map<string, ExposedMethod>,
  type: Tables,
  holder: object | undefined,
  path: readonly string[],
  where: string,
): void {
  if (path.length > MAX_COMPONENT_DEPTH) {
    throw new TypeError(`${where}: components nest deeper than ${MAX_COMPONENT_DEPTH}`)
  }
  const marked = marks?.(holder)
  const { rpc } = type
  addTable(
    methods,
    marked === undefined ? (rpc ?? {}) : { ...marked, ...rpc },
    type,
    holder,
    path,
    where,
  )
  for (const [name, part] of Object.entries(type.components ?? {})) {
    // Whether methods are marked is seen below.
    if (marks === undefined && part.rpc === undefined && part.components === undefined) continue
    checkName(name, where)
    // A component may be made later than its entity: then its class is what can be checked.
    const instance = (holder as Record<string, unknown> | undefined)?.[name]
    const partHolder = typeof instance === 'object' && instance !== null ? instance : part.prototype
    addClass(methods, part, partHolder, [...path, name], `${where}.${name}`)
  }
}

function addTable(
  methods: Map<string, ExposedMethod>,
  table: Table,
  { validate: schemas, limits }: Tables,
  holder: object | undefined,
  path: readonly string[],
  where: string,
): void {
  for (const [name, callers] of Object.entries(table)) {
    if (callers === undefined) continue
    checkName(name, where)
    if (typeof (holder as Record<string, unknown> | undefined)?.[name] !== 'function') {
      throw new TypeError(`the rpc table of ${where} names "${name}", which is not a method of it`)
    }
    methods.set([...path, name].join('.'), {
      path,
      name,
      callers: callerBits(callers, where, name),
      schema: schemaOf(schemas, where, name),
      limit: limits?.[name] as MethodLimit | undefined,
      syncRuns: 0,
    })
  }
}

function schemaOf(
  schemas: Table | undefined,
  where: string,
  name: string,
): ArgumentsSchema | undefined {
  const schema =
    schemas !== undefined && Object.hasOwn(schemas, name)
      ? (schemas[name] as Partial<ArgumentsSchema> | null | undefined)
      : undefined
  if (schema === undefined) return undefined
  if (typeof schema?.['~standard']?.validate !== 'function') {
    throw new TypeError(`${where}.validate gives "${name}" what is no Standard Schema`)
  }
  return schema as ArgumentsSchema
}

/** Names no table may open: what every object has, and what would make a remote a promise. */
function checkName(name: string, where: string): void {
  if (isReservedName(name) || name.includes('.') || name === '') {
    throw new TypeError(`the rpc table of ${where} names "${name}", which cannot be exposed`)
  }
}

export function isReservedName(name: string): boolean {
  return name in Object.prototype || name === 'then' || name === 'toJSON' || name === 'prototype'
}

function callerBits(callers: unknown, where: string, name: string): number {
  let bits = 0
  for (const caller of Array.isArray(callers) ? (callers as unknown[]) : [callers]) {
    if (typeof caller !== 'string' || !Object.hasOwn(CALLER_BIT, caller)) {
      throw new TypeError(
        `the rpc table of ${where} opens "${name}" to "${String(caller)}", which is no caller kind`,
      )
    }
    bits |= CALLER_BIT[caller as CallerKind]
  }
  return bits
}
