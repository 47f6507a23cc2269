/**
 * Proves to another node that this one holds the cluster key, and checks the other's proof. Made by
 * `clusterKey` of `@rts/rpc/node`. Both are synchronous; a challenge is never the same twice.
 */
export interface ClusterAuth {
  prove(challenge: Uint8Array): Uint8Array
  check(challenge: Uint8Array, proof: Uint8Array): boolean
}
