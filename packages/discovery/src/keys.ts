/**
 * Where things stand in the store: `/<cluster>/nodes/<role>/<id>` `/<cluster>/claims/<key>`, and the lines of
 * `/<cluster>/locks/<name>/` and `/<cluster>/elections/<name>/`.
 */
export const nodesPrefix = (cluster: string, role: string): string => `/${cluster}/nodes/${role}/`

export const nodeKey = (cluster: string, role: string, id: string): string =>
  `${nodesPrefix(cluster, role)}${id}`

export const claimKey = (cluster: string, key: string): string => `/${cluster}/claims/${key}`

/** What processes stand in line for. */
export type LineKind = 'locks' | 'elections'

/** The name is one part of the path, or the line of `a` would hold that of `a/b`. */
export const linePrefix = (cluster: string, kind: LineKind, name: string): string =>
  `/${cluster}/${kind}/${encodeURIComponent(name)}/`
