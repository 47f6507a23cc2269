import type { CallTarget } from './call-target.ts'
import type { Clock } from './clock.ts'
import type { BodyDecoder } from './codec.ts'
import type { Counters } from './counters.ts'
import type { DeadlineWheel } from './deadline-wheel.ts'
import type { ExposedMethod, ExposedMethods } from './exposure.ts'
import type { Link } from './link.ts'
import type { FrameIds } from './chain.ts'
import type { DeadlockWatch } from './deadlock-watch.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { Turns } from './mailbox.ts'
import type { Logger } from './logger.ts'
import type { Passing, PassingEnd } from './passing.ts'
import type { RpcPeer } from './peer.ts'
import type { RetryHost } from './retrying-target.ts'
import type { TurnClock } from './turn-clock.ts'
import type { CallerKind } from './remote-types.ts'

/** A call about to reach its handler. Valid only during `beforeDispatch`. */
export interface Dispatch {
  readonly peer: RpcPeer
  readonly caller: CallerKind
  /** The service's name; empty for an entity. */
  readonly service: string
  readonly entityId: string | undefined
  /** `bag.use`: components, then the method. */
  readonly method: string
  readonly isNotify: boolean
}

/** An object that can be called, with the methods it opens. */
export interface Exposed {
  readonly target: object
  readonly methods: ExposedMethods
  /** Absent when its calls may overlap. */
  readonly mailbox: Turns<IncomingCall> | undefined
}

/** An entity that can be called by its id. */
export type Served = Omit<Exposed, 'methods'>

export type AroundHandler = (
  call: IncomingCall,
  handler: (...args: unknown[]) => unknown,
) => (...args: unknown[]) => unknown

/** By who sent the bytes: a proven server, a peer this node dialled itself, anybody. */
interface Decoders {
  readonly server: BodyDecoder
  readonly dialled: BodyDecoder
  readonly player: BodyDecoder
}

/**
 * What servers tell each other with every ping and its answer, about once a second each way: their load, for instance.
 * A node of an earlier version ignores it.
 */
export interface Beat {
  /** The next bytes to send, at most 64; `undefined` for none. */
  write(): Uint8Array | undefined
  /** Bytes that came from the other end of a server link; never empty. Valid until it returns. */
  read(peer: RpcPeer, bytes: Uint8Array): void
}

/** What the peers of one node share. */
export interface PeerHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly wheel: DeadlineWheel
  /** When the messages of this turn arrived. */
  readonly turn: TurnClock
  readonly counters: Counters
  readonly decoders: Decoders
  readonly services: ReadonlyMap<string, Exposed>
  readonly entities: ReadonlyMap<string, Served>
  /** The node's id. */
  readonly name: string
  readonly frames: FrameIds
  readonly deadlocks: DeadlockWatch
  readonly defaultTimeoutMs: number
  readonly maxPending: number
  readonly maxRunningPerPlayer: number
  readonly maxRunningPerServer: number
  /** Calls waiting in one mailbox. */
  readonly maxWaitingPerObject: number
  /** The node is stopping: calls are refused. */
  readonly isDraining: boolean
  readonly beforeDispatch: ((call: Dispatch) => void) | undefined
  readonly beat: Beat | undefined
  readonly virtualLinkHandler: ((link: Link, meta: unknown, peer: RpcPeer) => void) | undefined
  /** Makes what carries remotes and streams over a link; without it arguments are plain data. */
  readonly passingFor: ((end: PassingEnd) => Passing) | undefined
  /** Puts interceptors around a handler. */
  readonly aroundHandler: AroundHandler | undefined
  /** Puts interceptors before a target of calls. */
  readonly intercept: ((target: CallTarget) => CallTarget) | undefined
  /** For calls that are made again; without it none is. */
  readonly retry: RetryHost | undefined
  /** The way to an object's mailbox for calls of a method that has a limit. */
  gated(method: ExposedMethod, mailbox: Turns<IncomingCall> | undefined): Turns<IncomingCall>
  onPeerClosed(peer: RpcPeer): void
}
