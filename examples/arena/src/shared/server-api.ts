// What players may call at servers, as types: the player's side imports them with `import type`.
export type { LobbyDesk, Welcome } from '../lobby/lobby-desk.ts'
export type { Avatar } from '../lobby/avatar.ts'
export type { Pilot } from '../game/pilot.ts'
