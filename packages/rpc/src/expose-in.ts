import { exposeByClass, exposeByTable, type ExposedMethods } from './exposure.ts'

/** An object that can be called, with the methods it opens. */
export interface Exposing {
  readonly target: object
  readonly methods: ExposedMethods
}

/** Puts an object into a table of services, with what else is kept there for it; returns the undo. */
export function exposeIn<E extends Exposing>(
  services: Map<string, E>,
  name: string,
  target: object,
  table: object | undefined,
  complete: (exposing: Exposing) => E,
): () => void {
  if (name === '') throw new RangeError('a service needs a name')
  if (services.has(name)) throw new RangeError(`a service "${name}" is exposed already`)
  const methods = table === undefined ? exposeByClass(target) : exposeByTable(target, table, name)
  const exposed = complete({ target, methods })
  services.set(name, exposed)
  return () => {
    if (services.get(name) === exposed) services.delete(name)
  }
}
