import type { OutReason } from './candidates.ts'
import type { Load } from './load.ts'
import type { Member } from './member.ts'

/** What one node looked like to a pick. */
export interface NodeExplanation {
  readonly id: string
  /** What kept it out; `undefined` for a candidate. */
  readonly out: OutReason | undefined
  /** The policy compared it with others; with a key: it came before the picked one and had too much to do. */
  readonly isDrawn: boolean
  /** The share by which it is drawn: its weight, less while it is new or on probation. */
  readonly weight: number
  readonly inFlight: number
  /** `undefined` before the first call was `done`. */
  readonly latencyMs: number | undefined
  /** Of its last calls, recent ones counting more; 1 is all. */
  readonly successRate: number
  readonly load: Load | undefined
  /** Milliseconds since the load was heard. */
  readonly loadAgeMs: number | undefined
  /** What policies compare: lower is better. */
  readonly cost: number
}

/** Why the next pick falls where it does. */
export interface Explanation {
  /** What `pick` with the same options gives next, if nothing changes. */
  readonly picked: string | undefined
  readonly policy: string
  /** In words. */
  readonly reason: string
  /** So few nodes are healthy that failures are not believed. */
  readonly isPanicking: boolean
  /** The part of the picks that stays in the own zone; 1 where there are no zones. */
  readonly zoneShare: number
  /** Every node of the role, in the order of their ids. */
  readonly nodes: readonly NodeExplanation[]
}

/** What a policy did. */
export interface Trace {
  readonly drawn: Member[]
  reason: string
}
