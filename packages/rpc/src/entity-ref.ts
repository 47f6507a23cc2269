/** Names an entity anywhere in the cluster. Plain data: it can be an argument or a result. */
export interface EntityRef {
  readonly id: string
  /** The wire name of its class. */
  readonly type?: string
  /** The id of the root it lives with; the entity itself is the root when absent. */
  readonly root?: string
  /** Where it was last known to be. */
  readonly url?: string
}
