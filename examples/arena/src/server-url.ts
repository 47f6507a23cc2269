import type { NodeRecord } from '@rts/discovery'

const SERVER_SCHEMES = ['tcp', 'sim']

/** Where other servers reach a node. */
export function serverUrl({ addresses }: NodeRecord): string | undefined {
  const scheme = SERVER_SCHEMES.find((name) => addresses[name] !== undefined)
  return scheme === undefined ? undefined : addresses[scheme]
}
