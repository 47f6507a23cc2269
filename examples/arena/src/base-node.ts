import type { NodeOptions } from '@rts/cluster'
import { Registry } from '@rts/discovery'
import { clusterKey } from '@rts/rpc/node'
import type { Surroundings } from './arena-node.ts'
import type { Role } from './config.ts'
import { Status } from './status.ts'

/** What every node of the arena starts with: its own lease, the keys of servers and admins, and an answer to how it is doing. */
export function baseNode(
  id: string,
  role: Role,
  surroundings: Surroundings,
  describe: () => string,
): NodeOptions {
  const { config, clock, random, logger, servers, codeVersion, vitals, reload } = surroundings
  const registry = new Registry(surroundings.backend, {
    cluster: config.cluster,
    ttlSeconds: surroundings.ttlSeconds ?? config.registry.ttlSeconds,
    clock,
    random,
    logger,
  })
  registry.on('lease-live', ({ leaseId }) => surroundings.onLease?.(leaseId))
  const runsGame = role === 'game' || role === 'lobby'
  const status = new Status(describe, runsGame ? codeVersion : undefined)
  return {
    id,
    role,
    registry,
    transports: servers.transports,
    listen: [servers.listen],
    cluster: clusterKey(config.clusterKey),
    ...(config.adminKey !== '' && { admin: clusterKey(config.adminKey) }),
    ...(vitals !== undefined && { interceptors: [vitals] }),
    services: { status, ...(reload !== undefined && { reload }) },
    clock,
    random,
    logger,
  }
}
