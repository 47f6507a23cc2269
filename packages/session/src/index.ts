export {
  ClientSession,
  type ClientSessionEvents,
  type ClientSessionOptions,
} from './client-session.ts'
export type { Clock } from './clock.ts'
export { CLOSE, closeKind, closeName, type CloseKind, type CloseName } from './close-codes.ts'
export { SessionError, type SessionErrorCode } from './errors.ts'
export { FRAME_OVERHEAD_BYTES, type Terms } from './frame.ts'
export type { AuthenticateContext } from './handshake.ts'
export type { LaneLimits, SessionLimits } from './limits.ts'
export type { SessionLink } from './link.ts'
export type { Random } from './random.ts'
export type { ResumeRecord, TokenSealer } from './resume-token.ts'
export type { Lane, RouteInfo, RouteState } from './routes.ts'
export type { Identity, ServerSession, ServerSessionEvents } from './server-session.ts'
export {
  SessionServer,
  type SessionServerEvents,
  type SessionServerOptions,
} from './session-server.ts'
export type { ServerStats, SessionStats } from './stats.ts'
