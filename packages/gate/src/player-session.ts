import type { Ctor, Remote, RpcPeer, RpcTable } from '@rts/rpc'

export interface PlayerSessionEvents {
  /** The player's link is gone and the session waits for a new one. What is sent is kept meanwhile. */
  away: undefined
  /** The player has a link again. */
  back: undefined
  /** Over: the player left, the route was bound elsewhere, or the gate is gone. */
  closed: { code: number; reason: string }
}

/** One player, as a backend sees them: one binding of one route of their session. */
export interface PlayerSession {
  readonly id: string
  readonly account: string
  /** All that the gate's `authenticate` returned. */
  readonly identity: { readonly account: string } & Readonly<Record<string, unknown>>
  readonly route: string
  /** Names this binding of the route. */
  readonly epoch: number
  readonly gateId: string
  /** The player's end: its caller kind is `player`, whoever carries the link. */
  readonly peer: RpcPeer
  /** `away`: the player has no link right now, and what is sent is kept for them. */
  readonly state: 'open' | 'away' | 'closed'
  /**
   * Lets this player alone call `object` under that name.
   *
   * @param table - Instead of the class's own `static rpc`.
   * @returns The undo.
   */
  expose<T extends object>(name: string, object: T, table?: RpcTable<T>): () => void
  /** What the player's client offers under that name. */
  remote<C extends Ctor>(name: string): Remote<C, 'server'>
  /**
   * Binds a route of this session to a node. Resolves when that node has the player; until then the
   * route stays bound to whom it was.
   *
   * @throws RpcError with the gate's code: `GATE_UNKNOWN_SESSION`, `GATE_UNKNOWN_ROUTE`,
   *   `GATE_UNKNOWN_NODE`, `GATE_UNREACHABLE`, `GATE_SUPERSEDED`. GateError `GATE_SESSION_CLOSED`.
   */
  bind(route: string, nodeId: string): Promise<void>
  /** Takes a route from its node; nobody serves it until it is bound again. */
  unbind(route: string): Promise<void>
  /**
   * Ends the player's whole session, at the gate and at every other backend. To let go of this route
   * alone, `unbind(session.route)`.
   *
   * @param code - 4400 to 4499 let the client log in again, 4500 to 4999 stop it. @defaultValue 4203, kicked
   * @throws RangeError when the code is not from 4000 to 4999.
   */
  close(code?: number, reason?: string): void
  on<Name extends keyof PlayerSessionEvents>(
    event: Name,
    listener: (payload: PlayerSessionEvents[Name]) => void,
  ): () => void
}
