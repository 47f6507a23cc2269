import { channel } from 'node:diagnostics_channel'

/** What `rts:gate:session` carries. */
export interface GateSessionMessage {
  readonly gate: string
  readonly session: string
  readonly account: string
  readonly event: 'opened' | 'adopted' | 'lost' | 'resumed' | 'closed'
  readonly code?: number
  readonly reason?: string
}

/** What `rts:gate:route` carries. */
export interface GateRouteMessage {
  readonly gate: string
  readonly session: string
  readonly route: string
  readonly epoch: number
  readonly state: 'bound' | 'lost' | 'unbound'
  readonly node: string | undefined
}

const sessions = channel('rts:gate:session')
const routes = channel('rts:gate:route')

export function publishSession(message: GateSessionMessage): void {
  if (sessions.hasSubscribers) sessions.publish(message)
}

export function publishRoute(message: GateRouteMessage): void {
  if (routes.hasSubscribers) routes.publish(message)
}
