import type { PickStats } from './balancer.ts'

/** Counters since the registry was made. */
export interface RegistryStats {
  /** How often the lease was lost. */
  readonly leaseLosses: number
  /** Records written or confirmed: first registrations, changes and repairs. */
  readonly registrations: number
  /** Claims, locks and leaderships held now. */
  readonly claims: number
  /** Places in lines, for locks and offices, in which this node waits now. */
  readonly waiting: number
  /** Whole reads of directories; each one beyond the first is an audit or a recovery. */
  readonly lists: number
  /** Loads of own nodes that were written. */
  readonly loadWrites: number
  /** What each watched role's picks came to. */
  readonly picks: Readonly<Record<string, PickStats>>
  /** Entries under node keys that were not node records. */
  readonly malformedRecords: number
}
