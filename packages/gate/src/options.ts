import type { Clock, Random, RpcNode, Transport } from '@rts/rpc'
import type { AuthenticateContext, Identity, SessionLimits } from '@rts/session'
import type { Logger } from './logger.ts'

/** A node that can serve a route. */
export interface GateTarget {
  readonly id: string
  /** Where the gate's `RpcNode` reaches it: `tcp://10.0.0.2:7001`. */
  readonly url: string
}

/** Who serves a route. Asked anew each time, so it may answer from a live view of a registry. */
export interface GateDirectory {
  /**
   * A node of this role to give a new binding to.
   *
   * @param avoid - Nodes that failed a moment ago: better not one of them, if there is another.
   */
  pick(role: string, avoid?: ReadonlySet<string>): GateTarget | undefined
  find(nodeId: string): GateTarget | undefined
  /**
   * Tells which nodes are gone, so that a dial to one is given up at once. An open link is left
   * alone: it answered a moment ago, and it may be the registry that is failing.
   */
  onLeave?(listener: (nodeId: string) => void): () => void
}

export interface GateRoute {
  /** Bind it to a picked node when a session opens, and again whenever that node is lost. @defaultValue false */
  readonly onOpen?: boolean
  /** The role `directory.pick` is asked for. @defaultValue the route's name */
  readonly role?: string
}

/** What `bindings` is asked about. */
export interface GateSessionInfo {
  readonly id: string
  readonly account: string
  readonly identity: Identity
}

/** Every one is counted in `stats()` when it trips. */
export interface GateLimits extends SessionLimits {
  /** Sessions, waiting ones included. A whole number from 1. @defaultValue 10000 */
  readonly maxSessions: number
  /** Links that are not a session yet. A whole number from 1. @defaultValue 1024 */
  readonly maxPendingHandshakes: number
  /** Links from one address (IPv6: one /64) at a time. Loopback is not counted. @defaultValue 64 */
  readonly maxLinksPerHost: number
  /** New links a second from one address, sustained; 0 for no limit. Loopback is not counted. @defaultValue 5 */
  readonly linksPerSecondPerHost: number
  /** New links from one address at once. @defaultValue 20 */
  readonly linkBurstPerHost: number
  /** Bytes from a player kept for a route while its backend cannot take them. @defaultValue 65536 */
  readonly maxParkedBytes: number
  /** Milliseconds the oldest of them may wait. @defaultValue 3000 */
  readonly maxParkedAgeMs: number
  /** Groups one backend may keep here. @defaultValue 10000 */
  readonly maxGroupsPerNode: number
  /** Groups one session may be in, for each route. @defaultValue 64 */
  readonly maxGroupsPerBinding: number
}

export interface GateOptions {
  /** The gate's node id; backends see it as `session.gateId`. @defaultValue the id of `rpc` */
  readonly id?: string
  /** Reaches the backends, and is where they reach the gate. Its `cluster` key is what makes them trust each other. */
  readonly rpc: RpcNode
  /** For players: `tcp()`, `ws()`. */
  readonly transports: readonly Transport[]
  /** The routes of a session by name: `{ lobby: { onOpen: true }, game: {} }`. */
  readonly routes: Readonly<Record<string, GateRoute>>
  readonly directory: GateDirectory
  /**
   * Turns a login ticket into an account. An error with a string `code` is told to the player, who
   * then stops; with `retryable: true` on it the player may try again.
   */
  authenticate(ticket: string, context: AuthenticateContext): Identity | Promise<Identity>
  /** 32 secret bytes, the same on every gate, that seal resume tokens; or several: the first seals, all open. */
  readonly tokenKey: Uint8Array | readonly Uint8Array[]
  /**
   * Asked when a player of another gate resumes here. Answers who that account is, or `undefined` to
   * have the player log in again. @defaultValue `{ account }`
   */
  adopt?(
    record: { readonly sessionId: string; readonly account: string },
    context: AuthenticateContext,
  ): Identity | undefined | Promise<Identity | undefined>
  /** Asked after that: the nodes the session's other routes were bound to, by route. @defaultValue none */
  bindings?(session: GateSessionInfo): Promise<Readonly<Record<string, string>>>
  /** Milliseconds a session outlives its link. @defaultValue 60000 */
  readonly resumeWindowMs?: number
  /** Milliseconds a resume token is valid; at least twice the window. @defaultValue 600000 */
  readonly tokenTtlMs?: number
  /** Milliseconds a new link may take for its first frame. @defaultValue 3000 */
  readonly handshakeTimeoutMs?: number
  /** Milliseconds `authenticate` and `adopt` may take. @defaultValue 5000 */
  readonly authTimeoutMs?: number
  /** Milliseconds between pings to players. @defaultValue 5000 */
  readonly heartbeatMs?: number
  /** Milliseconds a dial to a backend may take. @defaultValue 3000 */
  readonly dialTimeoutMs?: number
  /** Milliseconds before the second try to bind an `onOpen` route; doubles up to `maxRebindDelayMs`. @defaultValue 100 */
  readonly rebindDelayMs?: number
  /** @defaultValue 5000 */
  readonly maxRebindDelayMs?: number
  readonly limits?: Partial<GateLimits>
  readonly clock?: Clock
  readonly random?: Random
  /** @defaultValue silent */
  readonly logger?: Logger
}
