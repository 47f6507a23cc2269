import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import type { LoadVia } from './load-reporter.ts'
import type { LoadOf, PickingOptions } from './pick.ts'
import type { Random } from './random.ts'

export interface RegistryOptions {
  /** First part of every key; registries of different clusters do not see each other. @defaultValue 'default' */
  readonly cluster?: string
  /** Seconds a node outlives its last keepalive. A whole number from 1 (etcd itself gives at least 2). @defaultValue 10 */
  readonly ttlSeconds?: number
  /** Milliseconds before the end of the lease at which the node gives it up. Below the TTL. @defaultValue a tenth of the TTL, at most 1000 */
  readonly fenceMarginMs?: number
  /** Milliseconds `start` tries before `DISCOVERY_UNAVAILABLE`. From 1. @defaultValue 3000 */
  readonly connectTimeoutMs?: number
  /** Milliseconds any one request may take. From 1. @defaultValue 3000 */
  readonly callTimeoutMs?: number
  /** Milliseconds `stop` spends on saying goodbye. From 0. @defaultValue 2000 */
  readonly stopTimeoutMs?: number
  /** Milliseconds a node that vanished while the backend was away is kept after it is back. From 0. @defaultValue the TTL */
  readonly removalGraceMs?: number
  /** Milliseconds between whole reads that only check the watch. From 1000. @defaultValue 300000 */
  readonly auditIntervalMs?: number
  /**
   * How many nodes come back together after an outage, where this process sees fewer in its directories. More than
   * 50 spread over 18 ms for each, so that a member of etcd has no more than 200 of their requests a second.
   * A whole number from 0. @defaultValue 0
   */
  readonly fleetSize?: number
  /** Names this start of the process. @defaultValue wall time and randomness */
  readonly epoch?: string
  /** The whole cost of a node for `pick`, where the pick names none. @defaultValue calls in flight, latency and reported load */
  readonly loadOf?: LoadOf
  /**
   * Who brings the load of this process's nodes to the others: links, and the store only hears of a coarse class when it
   * changes; or the store. @defaultValue 'links'
   */
  readonly loadVia?: LoadVia
  /** With `loadVia: 'etcd'`: milliseconds, give or take a fifth, between two loads of a node. From 1000. @defaultValue 5000 */
  readonly loadIntervalMs?: number
  /** How directories pick: zones, subsets, what happens to nodes that fail. */
  readonly picking?: PickingOptions
  /** @defaultValue the machine's clock */
  readonly clock?: Clock
  /** @defaultValue the system's randomness */
  readonly random?: Random
  /** @defaultValue silent */
  readonly logger?: Logger
}

/** @throws RangeError naming the option and its value. */
export function checkNumber(name: string, value: number, from: number, isWhole = false): number {
  if (!(value >= from) || value === Infinity || (isWhole && !Number.isInteger(value))) {
    const kind = isWhole ? 'a whole number' : 'a number'
    throw new RangeError(`${name} must be ${kind} from ${from}, got ${value}`)
  }
  return value
}

export interface WaitOptions {
  readonly signal?: AbortSignal
}

export interface ClaimOptions extends WaitOptions {
  /** @defaultValue the registry's `callTimeoutMs` */
  readonly timeoutMs?: number
}

export interface LockOptions extends WaitOptions {
  /** Who holds it, for the others. @defaultValue the epoch of the registry */
  readonly value?: string
  /** Milliseconds in line until `DISCOVERY_TIMEOUT`; `Infinity` for no end. @defaultValue 10000 */
  readonly timeoutMs?: number
}
