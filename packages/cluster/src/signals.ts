import type { ClusterNode } from './cluster-node.ts'

/** Stops the node on the first SIGINT or SIGTERM and exits 0; the second one exits 1 at once. */
export function stopOnSignals(node: ClusterNode): void {
  let signals = 0
  const onSignal = (): void => {
    signals += 1
    if (signals > 1) process.exit(1)
    void node.stop().then(() => process.exit(0))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
