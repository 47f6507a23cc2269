export { PlayerSessions, type PlayerSessionsOptions } from './player-sessions.ts'
export type { PlayerSession, PlayerSessionEvents } from './player-session.ts'
export type { GroupSendOptions, SessionGroup } from './session-group.ts'
