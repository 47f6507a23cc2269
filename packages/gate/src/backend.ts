export { PlayerSessions, type PlayerSessionsOptions } from './player-sessions.ts'
export type { PlayerSession, PlayerSessionEvents } from './player-session.ts'
export type { GroupSendOptions } from './session-group.ts'
export type SessionGroup = import('./session-group.ts').SessionGroup
