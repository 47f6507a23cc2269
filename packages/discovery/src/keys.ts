/** Where things stand in the store: `/<cluster>/nodes/<role>/<id>` and `/<cluster>/claims/<key>`. */
export const nodesPrefix = (cluster: string, role: string): string => `/${cluster}/nodes/${role}/`

export const nodeKey = (cluster: string, role: string, id: string): string =>
  `${nodesPrefix(cluster, role)}${id}`

export const claimKey = (cluster: string, key: string): string => `/${cluster}/claims/${key}`
