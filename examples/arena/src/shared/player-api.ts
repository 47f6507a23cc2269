// What servers may call at a player, and the values that travel. A player's program extends the screens.

/** One ship as players see it. */
export type ShipRow = readonly [
  seat: number,
  x: number,
  y: number,
  angle: number,
  hp: number,
  score: number,
  /** The newest input of this ship's player that the state contains. */
  inputSeq: number,
  /** 1 while it cannot be hit. */
  shielded: number,
]
export type ShotRow = readonly [id: number, x: number, y: number, angle: number]

/** The whole arena after one step; each one replaces the one before. */
export interface ArenaState {
  readonly step: number
  /** Until the match is over. */
  readonly secondsLeft: number
  readonly ships: readonly ShipRow[]
  readonly shots: readonly ShotRow[]
}

export interface Seat {
  readonly seat: number
  readonly account: string
  readonly name: string
}

export interface RankRow {
  readonly name: string
  readonly score: number
}

export interface ChatLine {
  readonly from: string
  readonly text: string
}

/** The player's side, on the route `game`. */
export abstract class GameScreen {
  static readonly rpc = { state: 'server', roster: 'server', matchOver: 'server' } as const
  /** On the latest-wins lane, once a step. */
  abstract state(state: ArenaState): void
  abstract roster(seats: readonly Seat[]): void
  /** The match is over; the player is back in the lobby. */
  abstract matchOver(ranking: readonly RankRow[]): void
}

/** The player's side, on the route `lobby`. */
export abstract class LobbyScreen {
  static readonly rpc = { chat: 'server' } as const
  abstract chat(line: ChatLine): void
}
