export { clusterKey } from './cluster-key.ts'
export {
  callDiagnostics,
  publishPeers,
  type RpcCallMessage,
  type RpcPeerMessage,
} from './diagnostics.ts'
export { callContext, followCalls } from './followed-context.ts'
