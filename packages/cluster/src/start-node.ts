import { ClusterNode } from './cluster-node.ts'
import type { NodeOptions } from './node-options.ts'
import { stopOnSignals } from './signals.ts'

/**
 * Starts a server node: runs `setup`, listens, takes a lease, registers as ready. When any of it fails, what was
 * started is stopped again and the error goes to the caller.
 *
 * @throws RpcError `RPC_LISTEN_FAILED` when a port is in use.
 * @throws DiscoveryError `DISCOVERY_UNAVAILABLE` when the registry cannot be reached.
 * @throws ClusterError `CLUSTER_DUPLICATE_NAME` when two entity classes share a wire name.
 */
export async function startNode(options: NodeOptions): Promise<ClusterNode> {
  const node = new ClusterNode(options)
  await node.start()
  if (options.signals === true) stopOnSignals(node)
  return node
}
