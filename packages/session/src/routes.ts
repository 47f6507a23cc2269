/** `reliable`: in order, kept until acknowledged, across links. `state`: only the newest counts. */
export type Lane = 'reliable' | 'state'

export type RouteState = 'unbound' | 'bound' | 'lost'

export interface RouteInfo {
  /** Names one binding of the route; grows with every change, over the session's life. 0: never bound. */
  readonly epoch: number
  readonly state: RouteState
}
