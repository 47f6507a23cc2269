import type { RpcStats } from '@rts/rpc'
import type { SessionStats } from '@rts/session'

export interface ClientStats {
  /** Links asked for; those that failed; those that became or resumed a session. */
  readonly dials: number
  readonly dialsFailed: number
  readonly linksOpened: number
  /** Sessions opened by a ticket; resumes, and those of them that lost something. */
  readonly sessionsOpened: number
  readonly resumes: number
  readonly resets: number
  /** The gate of the current or last link. */
  readonly gate: string | undefined
  /** Of the current session. */
  readonly session: SessionStats | undefined
  readonly rpc: RpcStats
}
