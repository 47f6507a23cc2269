import type { MethodStats } from './method-stats.ts'

/** Counters since the node was made, and what is open now. */
export interface RpcStats {
  /** Open links with RPC on them, attached ones included. */
  readonly peers: number
  readonly virtualLinks: number
  /** Calls waiting for their answer. */
  readonly pendingCalls: number
  /** Calls whose handler has not finished. */
  readonly runningCalls: number
  /** Those of them that wait for their turn in a mailbox. */
  readonly waitingCalls: number
  /** Streams that this node sends. */
  readonly openStreams: number
  readonly callsSent: number
  readonly notifiesSent: number
  readonly callsReceived: number
  readonly notifiesReceived: number
  readonly timeouts: number
  /** Calls that ended with their link. */
  readonly lost: number
  /** Calls refused here because chains waited for one another. */
  readonly deadlocks: number
  /** Answers to calls that had already ended. */
  readonly lateReplies: number
  /** Calls made again. */
  readonly retries: number
  /** Calls refused before dispatch: not open to the caller, unknown, malformed, overloaded, or by `beforeDispatch`. */
  readonly refusedForbidden: number
  readonly refusedUnknown: number
  readonly refusedMalformed: number
  readonly refusedOverloaded: number
  readonly refusedByHook: number
  /** Notifications that could not be sent or were refused here. */
  readonly droppedNotifies: number
  /** Peers that claimed a kind they could not prove. */
  readonly unauthorized: number
  /** Links closed for bytes that no correct peer sends. */
  readonly protocolErrors: number
  /** Links closed because nothing was heard of the other end. */
  readonly unresponsive: number
  /** What each method served, with the option `methodStats`. */
  readonly methods?: Readonly<Record<string, MethodStats>>
}
