import type { LoadSource, Registry } from '@rts/discovery'
import type { Clock, ClusterAuth, Interceptor, Random, Transport } from '@rts/rpc'
import type { ClusterNode } from './cluster-node.ts'
import type { EntityClass } from './entity-types.ts'
import type { Logger } from './logger.ts'
import type { Root, Spawn } from './roots.ts'

export interface NodeOptions {
  /** Unique in the cluster: `game_1`. */
  readonly id: string
  /** What the node does: `gate`, `lobby`, `game`. */
  readonly role: string
  /** The node starts and stops it: one registry, one lease, one node. */
  readonly registry: Registry
  readonly transports: readonly Transport[]
  /** Addresses for other servers; port 0 is any free port. */
  readonly listen: readonly string[]
  /** Proves to other nodes that this one belongs to the cluster; `clusterKey(secret)` of `@rts/rpc/node` makes it. */
  readonly cluster?: ClusterAuth
  /** Lets whoever proves this key be an `admin` here: `clusterKey(adminSecret)`, another one than `cluster`. @defaultValue no admins */
  readonly admin?: ClusterAuth
  /** Take part in each call, the first one outermost. @defaultValue none */
  readonly interceptors?: readonly Interceptor[]
  /** For development: servers on this machine are believed without a key. @defaultValue false */
  readonly trustLoopback?: boolean
  /** More addresses for the node's record, by scheme, for instance where players reach a gate. */
  readonly addresses?: () => Readonly<Record<string, string>>
  /** Classes whose instances may live here as roots. */
  readonly entities?: readonly EntityClass[]
  /** Makes the entity of a claimed root. @defaultValue `new Class(...args)` */
  readonly spawn?: Spawn
  /** Runs when a root has gone, before its claim is released: save here. */
  readonly onRootGone?: (root: Root) => void | Promise<void>
  /** Objects under a name, each with a static `rpc` table in its class. */
  readonly services?: Readonly<Record<string, object>>
  /** Runs before the node listens: expose more, register hooks, load what it needs. */
  readonly setup?: (node: ClusterNode) => void | Promise<void>
  readonly zone?: string
  readonly weight?: number
  readonly version?: string
  readonly meta?: Readonly<Record<string, string | number | boolean>>
  /** How this node is doing, told to the nodes it is linked to once a second: a `LoadMeter`. @defaultValue nothing is told */
  readonly load?: LoadSource
  /** Stop on SIGINT and SIGTERM, then exit; a second signal exits at once. @defaultValue false */
  readonly signals?: boolean
  /** How long `stop` may take, in ms. @defaultValue 3000 */
  readonly stopTimeoutMs?: number
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
}
