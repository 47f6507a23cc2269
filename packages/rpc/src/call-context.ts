import type { CallerKind } from './remote-types.ts'
import type { CallFrame } from './incoming-call.ts'
import { callStorage } from './call-storage.ts'
import type { RpcPeer } from './peer.ts'

/** Who is calling, and until when the answer is wanted. */
export interface CallContext {
  readonly caller: CallerKind
  readonly peer: RpcPeer
  /** The node or session at the other end. */
  readonly nodeId: string
  /** On the node's clock, in milliseconds; `undefined` for a notification or a call without end. */
  readonly deadline: number | undefined
  /** Fires when the caller cancels, its link closes, or the deadline passes. */
  readonly signal: AbortSignal
}

let current: (CallContext & CallFrame) | undefined

/** The call being handled. Valid synchronously inside a handler until its first await; throws outside. */
export function currentCall(): CallContext {
  if (current === undefined) throw new Error('currentCall: no call is being handled here')
  return current
}

/** The same, or `undefined` outside of a handler. */
export const callHere = (): CallContext | undefined => current

/** Makes a call the current one; returns the one before, to be put back. */
export function enterCall(
  call: (CallContext & CallFrame) | undefined,
): (CallContext & CallFrame) | undefined {
  const before = current
  current = call
  return before
}

/** The handler that is behind what runs now, also after its awaits. */
export const frameHere = (): CallFrame | undefined => current ?? callStorage?.getStore()
