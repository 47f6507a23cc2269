import { readMarksBy } from './exposure.ts'
import type { CallerKind } from './remote-types.ts'

type Marked = Readonly<Record<string, readonly CallerKind[]>>

const callersOf = new WeakMap<object, readonly CallerKind[]>()

/**
 * `@rpc('player')` on a method opens it to that kind of caller, as an entry of `static rpc` does, which goes before it.
 * For toolchains that lower standard decorators. Above other decorators, if there are any: it marks what they made.
 *
 * Types are read from tables: `declare static readonly rpc: { use: 'player' }` gives a class the type without the value.
 *
 * @throws TypeError on what is no public method of objects.
 */
export function rpc(
  ...callers: readonly [CallerKind, ...CallerKind[]]
): <This, Args extends unknown[], R>(
  method: (this: This, ...args: Args) => R,
  context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => R>,
) => void {
  readMarksBy(markedMethods)
  return (method, { kind, name, private: isPrivate, static: isStatic }) => {
    if (kind !== 'method' || isPrivate || isStatic || typeof name === 'symbol') {
      throw new TypeError(`@rpc: ${String(name)} is no public method of objects`)
    }
    callersOf.set(method, callers)
  }
}

/** The methods of an object that are marked, unless a subclass has others of their names. */
function markedMethods(holder: object | undefined): Marked {
  const table: Record<string, readonly CallerKind[]> = {}
  const seen = new Set<string>()
  for (let type = holder; type != null && type !== Object.prototype; type = parentOf(type)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (seen.has(name)) continue
      seen.add(name)
      const callers = typeof value === 'function' ? callersOf.get(value as object) : undefined
      if (callers !== undefined) table[name] = callers
    }
  }
  return table
}

const parentOf = (object: object): object | undefined =>
  (Object.getPrototypeOf(object) as object | null) ?? undefined
