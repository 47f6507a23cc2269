import type { Outcome, Registry } from '@rts/discovery'
import { RpcError, type RpcNode, type RpcPeer } from '@rts/rpc'

const UNREACHABLE: ReadonlySet<string> = new Set(['RPC_CONNECT_FAILED', 'RPC_CLOSED'])
const FAILED: ReadonlySet<string> = new Set(['RPC_TIMEOUT', 'RPC_OVERLOADED', 'RPC_INTERNAL'])
/** The other end said goodbye; it has left the registry before. */
const NORMAL_CLOSE = 1000

/** What an error of a call says of the node that was called. An answer that says no speaks well of it. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof RpcError)) return {}
  if (UNREACHABLE.has(error.code)) return { unreachable: true }
  return { failed: FAILED.has(error.code) }
}

/** Lets directories know what links know: a node whose last link broke is not picked, one that is linked again is. */
export function watchLinks(rpc: RpcNode, registry: Registry): () => void {
  const open = new Map<string, number>()
  return rpc.onPeer((peer: RpcPeer) => {
    if (peer.caller !== 'server') return
    const name = `${peer.role}/${peer.nodeId}`
    open.set(name, (open.get(name) ?? 0) + 1)
    registry.restore(peer.role, peer.nodeId)
    peer.on('closed', (code) => {
      const left = (open.get(name) ?? 1) - 1
      if (left > 0) open.set(name, left)
      else open.delete(name)
      if (left === 0 && code !== NORMAL_CLOSE) registry.lose(peer.role, peer.nodeId)
    })
  })
}
