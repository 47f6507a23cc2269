import type { Clock } from '../clock.ts'
import type { Counters } from '../counters.ts'
import type { DecodeLimits } from '../decode-limits.ts'
import type { Logger } from '../logger.ts'
import type { Exposed } from '../peer-host.ts'

/** What all links of one client share. */
export interface ClientHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly counters: Counters
  readonly services: ReadonlyMap<string, Exposed>
  readonly defaultTimeoutMs: number
}

/** The size of a message, which its link limits, bounds the rest; the depth is for the stack. */
export const CLIENT_DECODE_LIMITS: DecodeLimits = {
  maxDepth: 512,
  maxTokens: Infinity,
  maxStringBytes: Infinity,
  maxBinaryBytes: Infinity,
  maxArrayLength: Infinity,
  maxMapLength: Infinity,
  maxKeyBytes: Infinity,
}
