/**
 * How the calls of one object run. `serial`: one at a time, in the order they came. `reentrant`: each when it comes,
 * so that asynchronous ones overlap.
 */
export type Execution = 'serial' | 'reentrant'

/**
 * By the `static execution` of its class, or by default.
 *
 * @throws TypeError when that is something else.
 */
export function executionOf(target: object, byDefault: Execution): Execution {
  const type = target.constructor as { readonly execution?: unknown; readonly name?: string }
  const execution = type?.execution ?? byDefault
  if (execution === 'serial' || execution === 'reentrant') return execution
  const text = `${type.name}.execution must be 'serial' or 'reentrant', got ${String(execution)}`
  throw new TypeError(text)
}
