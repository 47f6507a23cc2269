import type { ServerStats } from '@rts/session'

/** What a gate has done since it was made, and what it holds now. Whole numbers. */
export interface GateStats {
  /** Of the session layer: open, waiting, resumed, refused and closed by reason, traffic. */
  readonly sessions: ServerStats
  /** Links refused before they were a session. */
  readonly refusedLinks: {
    /** `maxLinksPerHost` */
    readonly tooManyOfHost: number
    /** `linksPerSecondPerHost` and its burst */
    readonly tooFastFromHost: number
    /** The gate was stopping. */
    readonly stopped: number
  }
  readonly routes: {
    /** Now: bindings with an open link to their backend. */
    readonly open: number
    /** Now: bindings being dialled, or waiting for the next try. */
    readonly opening: number
    /** Bindings made. */
    readonly opened: number
    /** Bindings whose backend closed the link or vanished. */
    readonly lost: number
    /** Tries to bind that failed: no node known, or not reached. */
    readonly failed: number
    /** Sessions closed because a backend refused their bytes. */
    readonly refusedBytes: number
  }
  readonly forwarded: {
    readonly toBackendFrames: number
    readonly toBackendBytes: number
    readonly toPlayerFrames: number
    readonly toPlayerBytes: number
  }
  readonly parked: {
    /** Now. */
    readonly frames: number
    /** Now. */
    readonly bytes: number
    /** Frames that had to wait, ever. */
    readonly total: number
    /** Parked frames given up with their route. */
    readonly dropped: number
    /** Times `maxParkedBytes` was reached. */
    readonly tooMany: number
    /** Times `maxParkedAgeMs` was reached. */
    readonly tooOld: number
  }
  /** State-lane frames of players dropped because their backend could not take them at once. */
  readonly stateDropped: number
  /** Times a backend was told to wait because a player reads slowly. */
  readonly pauses: number
  readonly groups: {
    /** Now. */
    readonly count: number
    /** Now: memberships. */
    readonly members: number
    /** Frames that came from backends for a group. */
    readonly frames: number
    /** Frames sent on to players. */
    readonly deliveries: number
    /** Joins refused by `maxGroupsPerNode` or `maxGroupsPerBinding`. */
    readonly refused: number
  }
}
