/** The ceilings of one end's lanes. */
export interface LaneLimits {
  /** Reliable bytes kept until acknowledged. A whole number from 1024. @defaultValue 262144 */
  readonly maxUnackedBytes: number
  /** Reliable frames kept until acknowledged. A whole number from 4. @defaultValue 1024 */
  readonly maxUnackedFrames: number
  /** Milliseconds a reliable frame may wait for its acknowledgement. From 1000. @defaultValue 60000 */
  readonly maxUnackedAgeMs: number
  /** Unacknowledged bytes from which `send` returns false. From 0. @defaultValue 65536 */
  readonly softUnackedBytes: number
  /** Bytes of newest state frames kept until they have arrived. From 1024. @defaultValue 65536 */
  readonly maxStateBytes: number
  /** Bytes a link may hold before state frames wait here, where they can be replaced. From 0. @defaultValue 65536 */
  readonly stateHoldBytes: number
  /** Milliseconds a link may take to drain before it is closed as slow. From 1. @defaultValue 5000 */
  readonly slowTimeoutMs: number
}

/** The ceilings of a session at the server. The client learns those that bind it. */
export interface SessionLimits extends LaneLimits {
  /** Bytes of a frame from the player, header included. From 64. @defaultValue 16384 */
  readonly maxFrameBytes: number
  /** Bytes of a frame to the player, header included. From 64. @defaultValue 1048576 */
  readonly maxServerFrameBytes: number
  /** Frames a second from the player, sustained; 0 for no limit. @defaultValue 60 */
  readonly messagesPerSecond: number
  /** Frames the player may send at once. From 4. @defaultValue 120 */
  readonly messageBurst: number
  /** Bytes a second from the player, sustained; 0 for no limit. @defaultValue 32768 */
  readonly bytesPerSecond: number
  /** Bytes the player may send at once. From four times `maxFrameBytes`. @defaultValue 131072 */
  readonly byteBurst: number
}

const LANE_DEFAULTS: LaneLimits = {
  maxUnackedBytes: 262_144,
  maxUnackedFrames: 1024,
  maxUnackedAgeMs: 60_000,
  softUnackedBytes: 65_536,
  maxStateBytes: 65_536,
  stateHoldBytes: 65_536,
  slowTimeoutMs: 5000,
}

const LANE_MINIMA: LaneLimits = {
  maxUnackedBytes: 1024,
  maxUnackedFrames: 4,
  maxUnackedAgeMs: 1000,
  softUnackedBytes: 0,
  maxStateBytes: 1024,
  stateHoldBytes: 0,
  slowTimeoutMs: 1,
}

const SESSION_DEFAULTS: SessionLimits = {
  ...LANE_DEFAULTS,
  maxFrameBytes: 16_384,
  maxServerFrameBytes: 1_048_576,
  messagesPerSecond: 60,
  messageBurst: 120,
  bytesPerSecond: 32_768,
  byteBurst: 131_072,
}

export function laneLimits(given: Partial<LaneLimits> = {}): LaneLimits {
  const limits = { ...LANE_DEFAULTS, ...given }
  for (const name of Object.keys(LANE_MINIMA) as (keyof LaneLimits)[])
    requireWhole(name, limits[name], LANE_MINIMA[name])
  return limits
}

export function sessionLimits(given: Partial<SessionLimits> = {}): SessionLimits {
  const limits = { ...SESSION_DEFAULTS, ...laneLimits(given), ...given }
  requireWhole('maxFrameBytes', limits.maxFrameBytes, 64)
  requireWhole('maxServerFrameBytes', limits.maxServerFrameBytes, 64)
  requireWhole('messagesPerSecond', limits.messagesPerSecond, 0)
  requireWhole('messageBurst', limits.messageBurst, 4)
  requireWhole('bytesPerSecond', limits.bytesPerSecond, 0)
  requireWhole('byteBurst', limits.byteBurst, limits.maxFrameBytes * 4)
  return limits
}

/** Throws a `RangeError` unless `value` is a whole number from `min` to 2^32 - 1, as the wire can carry. */
export function requireWhole(name: string, value: number, min: number): void {
  if (!Number.isInteger(value) || value < min || value > 0xffff_ffff) {
    throw new RangeError(`${name} must be a whole number from ${min}, got ${value}`)
  }
}
