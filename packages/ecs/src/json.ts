import { EcsError } from './errors.ts'

const MAX_DEPTH = 64

const bad = (where: string, what: string): EcsError =>
  new EcsError('ECS_BAD_VALUE', `${where}: ${what} cannot be kept in a json field`)

/** Copies a tree of plain data, refusing what could not be saved. `undefined` members are left out. */
export function copyJson(value: unknown, where: string, depth = 0): unknown {
  if (isLeaf(value, where)) return value
  if (depth === MAX_DEPTH) throw bad(where, `a tree deeper than ${MAX_DEPTH} levels`)
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value))
    return value.map((member, index) => copyJson(member, `${where}[${index}]`, depth + 1))
  const copy: Record<string, unknown> = {}
  for (const [key, member] of entriesOf(value as object, where))
    if (member !== undefined) define(copy, key, copyJson(member, `${where}.${key}`, depth + 1))
  return copy
}

/** Throws unless {@link copyJson} could copy the value. */
export function checkJson(value: unknown, where: string, depth = 0): void {
  if (isLeaf(value, where) || value instanceof Uint8Array) return
  if (depth === MAX_DEPTH) throw bad(where, `a tree deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) {
    value.forEach((member, index) => checkJson(member, `${where}[${index}]`, depth + 1))
    return
  }
  for (const [key, member] of entriesOf(value as object, where))
    if (member !== undefined) checkJson(member, `${where}.${key}`, depth + 1)
}

function isLeaf(value: unknown, where: string): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      if (Number.isFinite(value)) return true
      throw bad(where, String(value))
    case 'object':
      return value === null
    default:
      throw bad(where, `a value of type ${typeof value}`)
  }
}

function entriesOf(value: object, where: string): [string, unknown][] {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw bad(where, `an instance of ${value.constructor?.name ?? 'a class'}`)
  return Object.entries(value)
}

/** Assigning to `__proto__` would change the prototype instead of making a member. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  else target[key] = value
}
