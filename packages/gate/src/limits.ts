import type { SessionLimits } from '@rts/session'
import type { GateLimits } from './options.ts'

/** A session's frame needs so many bytes besides its payload, at most. */
const FRAME_OVERHEAD_BYTES = 16
/** A first frame may have so many bytes, whatever is allowed later. */
const HANDSHAKE_BYTES = 4096
/** What the session layer takes when it is given nothing. */
const SESSION_DEFAULTS = {
  maxFrameBytes: 16_384,
  maxServerFrameBytes: 1_048_576,
  maxUnackedBytes: 262_144,
  softUnackedBytes: 65_536,
}

/** The gate's own ceilings. */
export type OwnLimits = Omit<GateLimits, keyof SessionLimits>

const OWN_DEFAULTS: OwnLimits = {
  maxSessions: 10_000,
  maxPendingHandshakes: 1024,
  maxLinksPerHost: 64,
  linksPerSecondPerHost: 5,
  linkBurstPerHost: 20,
  maxParkedBytes: 65_536,
  maxParkedAgeMs: 3000,
  maxGroupsPerNode: 10_000,
  maxGroupsPerBinding: 64,
}

export interface ResolvedLimits extends OwnLimits {
  /** Bytes of one message from a player's link. */
  readonly maxFromPlayerBytes: number
  /** Bytes of one payload to a player. */
  readonly maxToPlayerBytes: number
  /** Bytes a backend may send to a player before it asks whether they keep up. */
  readonly windowBytes: number
  /** For the session layer, which checks them. */
  readonly session: Partial<SessionLimits>
}

/** Fills in what was not given. Throws a `RangeError` for a value that makes no sense. */
export function resolveLimits(given: Partial<GateLimits> = {}): ResolvedLimits {
  const own: Record<string, number> = { ...OWN_DEFAULTS }
  const session: Record<string, number> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!(name in own)) {
      session[name] = value
      continue
    }
    const least = name === 'linksPerSecondPerHost' ? 0 : 1
    if (!Number.isFinite(value) || value < least)
      throw new RangeError(`limits.${name} must be a number from ${least}, not ${value}`)
    own[name] = value
  }
  const known = { ...SESSION_DEFAULTS, ...session }
  const { maxFrameBytes, maxServerFrameBytes, maxUnackedBytes, softUnackedBytes } = known
  return {
    ...(own as unknown as OwnLimits),
    maxFromPlayerBytes: Math.max(maxFrameBytes, HANDSHAKE_BYTES),
    // What does not fit the buffer of a session can never be acknowledged.
    maxToPlayerBytes: Math.min(maxServerFrameBytes, maxUnackedBytes) - FRAME_OVERHEAD_BYTES,
    // Half of the room between asking a backend to wait and giving up the player.
    windowBytes: Math.max(1, Math.floor((maxUnackedBytes - softUnackedBytes) / 2)),
    session,
  }
}
