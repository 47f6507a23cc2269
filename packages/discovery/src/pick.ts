import type { NodeRecord } from './node-record.ts'

/**
 * How one of several nodes is chosen.
 * - `p2c`: of two drawn by weight the one that costs less: calls in flight times latency (the default)
 * - `roundRobin`: one after the other, heavier ones more often
 * - `weighted`: at random by weight
 * - `leastLoaded`: the one that costs least of all
 * - `consistent(key)`, `rendezvous(key)`: the same node for the same key
 */
export type PickPolicy = 'p2c' | 'roundRobin' | 'weighted' | 'leastLoaded' | KeyPolicy

/** Made by {@link consistent} or {@link rendezvous}. */
export interface KeyPolicy {
  readonly name: 'consistent' | 'rendezvous'
  readonly key: string
  /** A node takes no more than this many times the mean of the calls in flight; `undefined`: any number. */
  readonly bound: number | undefined
}

export interface KeyPolicyOptions {
  /**
   * Bounded load: a node with more than this many times the mean of the calls in flight is passed over, and
   * the key's next node takes it. Above 1. @defaultValue none
   */
  readonly bound?: number
}

/**
 * The node of a key by Maglev's table, the same in every process that sees the same nodes. When a node goes only its
 * keys move, and half a percent of the others. Costs nothing at any number of nodes.
 */
export function consistent(key: string, options: KeyPolicyOptions = {}): KeyPolicy {
  return keyPolicy('consistent', key, options)
}

/**
 * The node of a key by highest bid, the same in every process that sees the same nodes. When a node goes its keys
 * move and no other. Looks at every node.
 */
export function rendezvous(key: string, options: KeyPolicyOptions = {}): KeyPolicy {
  return keyPolicy('rendezvous', key, options)
}

function keyPolicy(name: KeyPolicy['name'], key: string, { bound }: KeyPolicyOptions): KeyPolicy {
  if (bound !== undefined && !(bound > 1)) {
    throw new RangeError(`bound must be a number above 1, got ${bound}`)
  }
  return { name, key, bound }
}

/** A node's load as this process knows it, from 0; `undefined` where it knows none. */
export type LoadOf = (node: NodeRecord) => number | undefined

export interface PickOptions {
  /** @defaultValue 'p2c' */
  readonly policy?: PickPolicy
  /** The whole cost of a node, instead of calls in flight, latency and reported load. @defaultValue the registry's `loadOf` */
  readonly loadOf?: LoadOf
  /** Which nodes may be picked; `starting`, `draining` and weight 0 are out before it is asked. */
  readonly where?: (node: NodeRecord) => boolean
  /** Only nodes of exactly this version. */
  readonly version?: string
}

/** How a call to a picked node ended. */
export interface Outcome {
  /** @defaultValue the time since the pick; after a pick by key none */
  readonly latencyMs?: number
  /** The node did not do its work. An answer that says no is none of this. @defaultValue false */
  readonly failed?: boolean
  /** It could not even be reached: nobody picks it until it is tried again, a second later at first. @defaultValue false */
  readonly unreachable?: boolean
}

/**
 * A node that was picked, with the fields of its record. It counts as one call in flight until `done`; who never says
 * so is forgotten after `forgetMs`.
 */
export interface Picked extends NodeRecord, Disposable {
  /** The record itself, as the directory has it. */
  readonly node: NodeRecord
  /** Says how it went; only the first time counts. `using` does it for a call that went well. */
  done(outcome?: Outcome): void
}

/** How the directories of a registry pick. */
export interface PickingOptions {
  /** Nodes of this zone come first; the others take over as it loses nodes. @defaultValue none */
  readonly zone?: string
  /**
   * Use only some of a role's nodes, so that many processes and many nodes do not make a link each. `key` is this
   * process's own name; the same nodes are chosen for it as long as they live. Picks by key are not limited.
   */
  readonly subset?: { readonly key: string; readonly size: number }
  /** Milliseconds over which a node that has just joined grows to its whole share. From 0. @defaultValue 30000 */
  readonly slowStartMs?: number
  /** Calls in a row that fail until a node is left alone. A whole number from 1. @defaultValue 5 */
  readonly maxFailures?: number
  /** The share of failing calls, of at least 20 in ten seconds, from which a node is left alone. @defaultValue 0.5 */
  readonly maxFailureRate?: number
  /** Milliseconds for which a failing node is left alone; each time it fails again, twice as long. @defaultValue 10000 */
  readonly ejectionMs?: number
  /** The largest share of nodes that are left alone for failing; one always may be. 0 to 1. @defaultValue 0.3 */
  readonly maxEjectedShare?: number
  /** Where a smaller share of nodes is healthy, failures count no more: it is not the nodes. 0 to 1. @defaultValue 0.5 */
  readonly panicThreshold?: number
  /** Milliseconds after which a pick that was never `done` is forgotten, at the earliest. From 1. @defaultValue 30000 */
  readonly forgetMs?: number
}
