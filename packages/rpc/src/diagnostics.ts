import { channel } from 'node:diagnostics_channel'
import { systemClock, type Clock } from './clock.ts'
import type { Interceptor } from './interceptors.ts'
import type { RpcNode } from './rpc-node.ts'

/** What `rts:rpc:call` carries: one call or notification that is over, at either end. */
export interface RpcCallMessage {
  readonly direction: 'outgoing' | 'incoming'
  /** Empty for an entity. */
  readonly service: string
  readonly method: string
  readonly entityId: string | undefined
  readonly isNotify: boolean
  readonly durationMs: number
  /** Who called; of incoming ones. */
  readonly caller?: string
  readonly nodeId?: string
  /** What it failed with. */
  readonly error?: unknown
}

/** What `rts:rpc:peer` carries. */
export interface RpcPeerMessage {
  readonly node: string
  readonly peer: string
  readonly role: string
  readonly caller: string
  readonly url: string
  readonly event: 'opened' | 'closed'
  readonly code?: number
  readonly reason?: string
}

const calls = channel('rts:rpc:call')
const peers = channel('rts:rpc:peer')

type Topic = Omit<RpcCallMessage, 'durationMs' | 'error'>

/** Publishes every call of a node on the diagnostics channel `rts:rpc:call`, while anybody listens there. */
export function callDiagnostics(options: { readonly clock?: Clock } = {}): Interceptor {
  const clock = options.clock ?? systemClock
  return {
    outgoing(call, next) {
      if (!calls.hasSubscribers) return next()
      const { service, method, entityId, isNotify } = call
      return timed({ direction: 'outgoing', service, method, entityId, isNotify }, clock, next)
    },
    notify(call, next) {
      if (!calls.hasSubscribers) return next()
      const { service, method, entityId, isNotify } = call
      const isAccepted = next()
      const topic: Topic = { direction: 'outgoing', service, method, entityId, isNotify }
      calls.publish({ ...topic, durationMs: 0 } satisfies RpcCallMessage)
      return isAccepted
    },
    incoming(call, next) {
      if (!calls.hasSubscribers) return next()
      const { service, method, entityId, isNotify, context } = call
      const { caller, nodeId } = context
      const direction = 'incoming'
      return timed({ direction, service, method, entityId, isNotify, caller, nodeId }, clock, next)
    },
  }
}

/** Publishes the peers a node shakes hands with on the diagnostics channel `rts:rpc:peer`. Returns the undo. */
export function publishPeers(node: RpcNode): () => void {
  return node.onPeer((peer) => {
    const { nodeId, role, caller, url } = peer
    const about = { node: node.id, peer: nodeId, role, caller, url }
    const publish = (message: RpcPeerMessage): void => {
      if (peers.hasSubscribers) peers.publish(message)
    }
    publish({ ...about, event: 'opened' })
    peer.on('closed', (code, reason) => publish({ ...about, event: 'closed', code, reason }))
  })
}

function timed<T>(topic: Topic, clock: Clock, next: () => T): T {
  const startedAt = clock.now()
  const over = (failure: { readonly error?: unknown }): void => {
    const durationMs = clock.now() - startedAt
    calls.publish({ ...topic, durationMs, ...failure } satisfies RpcCallMessage)
  }
  let result: T
  try {
    result = next()
  } catch (error) {
    over({ error })
    throw error
  }
  if (!(result instanceof Promise)) {
    over({})
    return result
  }
  return result.then(
    (value) => {
      over({})
      return value as unknown
    },
    (error: unknown) => {
      over({ error })
      throw error
    },
  ) as T
}
