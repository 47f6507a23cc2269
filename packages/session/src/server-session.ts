import type { CloseKind } from './close-codes.ts'
import type { Lane, RouteInfo, RouteState } from './routes.ts'
import type { SessionStats } from './stats.ts'

/** Who a ticket belongs to. Whatever else `authenticate` returns stays on `session.identity`. */
export interface Identity {
  /** At most 255 bytes of UTF-8, not empty. */
  readonly account: string
}

export interface ServerSessionEvents {
  /** A frame from the player. `payload` is valid only during the call. */
  message: { route: string; payload: Uint8Array; epoch: number; lane: Lane }
  /** The link is gone; the session waits for a new one. `linkEpoch` names the link that closed. */
  lost: { code: number; reason: string; linkEpoch: number }
  /**
   * A new link took over; the old one may never have been missed. `recovered: false`: both lanes
   * started clean, `lost` reliable frames of this end may not have arrived, and every route is
   * unbound until `setRoute` binds it again. What the listener sends follows.
   */
  resumed: { recovered: boolean; lost: number; linkEpoch: number }
  /** Over for good. `lost`: reliable frames of this end that were not acknowledged. */
  closed: { code: number; reason: string; kind: CloseKind; lost: number }
  /** `send` had returned false and may go on. */
  drain: undefined
  rtt: { rttMs: number; smoothedMs: number }
}

/** A player's presence at the server. It outlives its links. */
export interface ServerSession {
  readonly id: string
  readonly account: string
  readonly identity: Identity
  /** `login`: opened by a ticket. `adopted`: made again here from a token of another process. */
  readonly origin: 'login' | 'adopted'
  readonly state: 'open' | 'waiting' | 'closed'
  /** Counts the links of this session, in all processes. */
  readonly linkEpoch: number
  readonly routes: ReadonlyMap<string, RouteInfo>
  /**
   * Sends a frame along a bound route; the payload is copied. On the state lane only the newest
   * frame per (route, key) is kept. A frame for a route that is not bound, or for a closed session,
   * is dropped and counted.
   *
   * @returns `false` when the caller should wait for `drain`, or the frame was dropped.
   * @throws SessionError `SESSION_FRAME_TOO_LARGE`
   */
  send(route: string, payload: Uint8Array, lane?: Lane, key?: number): boolean
  /**
   * Tells the player, in order with the reliable lane, that a route changed. Frames the player sent
   * under an older epoch are dropped and counted from now on.
   *
   * @returns The new epoch.
   */
  setRoute(name: string, state: RouteState): number
  /** Ends the session. `code` is one of `CLOSE` or 4400 to 4999. @defaultValue CLOSE.kicked */
  close(code?: number, reason?: string): void
  on<Name extends keyof ServerSessionEvents>(
    event: Name,
    listener: (payload: ServerSessionEvents[Name]) => void,
  ): () => void
  stats(): SessionStats
}
