/** Why the virtual link of a binding closes while the session goes on: said by gates, the last two by backends. */
export const BINDING_CLOSE = {
  /** The route was bound to another node, or to this one anew. */
  rebound: 4310,
  /** A backend unbound the route. */
  unbound: 4311,
  /** The player's frames for this backend could not be handed over in time. */
  stalled: 4312,
  /** The player resumed with frames missing: the binding starts anew. */
  reset: 4313,
  /** The backend has the session from another gate, where the player is now. */
  superseded: 4314,
  /** The backend takes no more players. */
  leaving: 4315,
} as const
