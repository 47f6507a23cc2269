import type { Clock, Random, RpcNode } from '@rts/rpc'
import type { GateCounters } from './counters.ts'
import type { Groups } from './groups.ts'
import type { Logger } from './logger.ts'
import type { ResolvedLimits } from './limits.ts'
import type { GateDirectory } from './options.ts'

/** What all parts of one gate share. */
export interface GateContext {
  readonly id: string
  readonly rpc: RpcNode
  readonly directory: GateDirectory
  readonly limits: ResolvedLimits
  readonly dialTimeoutMs: number
  readonly rebindDelayMs: number
  readonly maxRebindDelayMs: number
  readonly groups: Groups
  readonly counters: GateCounters
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}
