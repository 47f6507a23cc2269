import { exposeByClass, exposeByTable } from './exposure.ts'
import { mailboxOf } from './mailbox.ts'
import type { Exposed } from './peer-host.ts'

/** Puts an object into a table of services; returns the undo. */
export function exposeIn(
  services: Map<string, Exposed>,
  name: string,
  target: object,
  table: object | undefined,
): () => void {
  if (name === '') throw new RangeError('a service needs a name')
  if (services.has(name)) throw new RangeError(`a service "${name}" is exposed already`)
  const methods = table === undefined ? exposeByClass(target) : exposeByTable(target, table, name)
  const exposed = { target, methods, mailbox: mailboxOf(target, 'reentrant') }
  services.set(name, exposed)
  return () => {
    if (services.get(name) === exposed) services.delete(name)
  }
}
