/** The name under which a gate offers what backends may ask of it. */
export const GATE_SERVICE = 'gate'
/** The name under which a backend hears from gates about its players. */
export const PLAYERS_SERVICE = 'rts.players'
