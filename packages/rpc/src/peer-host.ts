import type { Clock } from './clock.ts'
import type { BodyDecoder } from './codec.ts'
import type { Counters } from './counters.ts'
import type { DeadlineWheel } from './deadline-wheel.ts'
import type { ExposedMethods } from './exposure.ts'
import type { Link } from './link.ts'
import type { FrameIds } from './chain.ts'
import type { DeadlockWatch } from './deadlock-watch.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { Mailbox } from './mailbox.ts'
import type { Logger } from './logger.ts'
import type { RpcPeer } from './peer.ts'
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
  readonly mailbox: Mailbox<IncomingCall> | undefined
}

/** An entity that can be called by its id. */
export type Served = Omit<Exposed, 'methods'>

/** By who sent the bytes: a proven server, a peer this node dialled itself, anybody. */
interface Decoders {
  readonly server: BodyDecoder
  readonly dialled: BodyDecoder
  readonly player: BodyDecoder
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
  /** Calls waiting in one mailbox. */
  readonly maxWaitingPerObject: number
  /** The node is stopping: calls are refused. */
  readonly isDraining: boolean
  readonly beforeDispatch: ((call: Dispatch) => void) | undefined
  readonly virtualLinkHandler: ((link: Link, meta: unknown, peer: RpcPeer) => void) | undefined
  onPeerClosed(peer: RpcPeer): void
}
