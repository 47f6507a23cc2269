import type { ClusterNode } from '@rts/cluster'
import type { Backend } from '@rts/discovery'
import type { ReloadService } from '@rts/reload'
import type { Clock, Random, Transport } from '@rts/rpc'
import type { EntityStore } from '@rts/store'
import type { ArenaConfig, Role } from './config.ts'
import type { Vitals } from './vitals.ts'

/** The part of a logger the nodes call. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** All that a node takes from outside: real in the demo and in processes, simulated in the cluster test. */
export interface Surroundings {
  readonly config: ArenaConfig
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly backend: Backend
  readonly store: EntityStore
  /** How long the node's lease outlives its last sign of life. @defaultValue the one of the configuration */
  readonly ttlSeconds?: number
  /** Told the id of each lease the node takes: whoever sees the node die may end it at once. */
  readonly onLease?: (leaseId: string) => void
  /** The version of the game's code, where it can be reloaded: nodes that run it tell it. */
  readonly codeVersion?: () => number
  /** Counts the node's work, where somebody asks for it. */
  readonly vitals?: Vitals
  /** Reloads the game's code, for admins alone. */
  readonly reload?: ReloadService
  /** Between servers, and the address to listen on. */
  readonly servers: { readonly transports: readonly Transport[]; readonly listen: string }
  /** Between players and gates. */
  readonly players: {
    readonly transports: readonly Transport[]
    readonly listen: readonly string[]
  }
}

/** One running node of the arena. */
export interface ArenaNode {
  readonly id: string
  readonly role: Role
  /** Where it can be reached, for the table of nodes. */
  readonly addresses: readonly string[]
  /** One line about its work for the table of nodes: `3 rooms, 12 ships`. */
  describe(): string
  readonly cluster: ClusterNode
  /** Takes nothing new, and settles when what was here has gone. */
  drain(): Promise<void>
  stop(): Promise<void>
}
