import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { EtcdBackend } from '@rts/discovery'
import { ReloadService, type Reloader } from '@rts/reload'
import { systemClock, systemRandom } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { SqliteStore } from '@rts/store'
import type { ArenaNode, Logger, Surroundings } from './arena-node.ts'
import { CodeVersion } from './code-version.ts'
import type { ArenaConfig, Role } from './config.ts'
import { startNodeOfRole } from './roles.ts'
import { Vitals } from './vitals.ts'
import { holdYoungGeneration } from './young-generation.ts'

/** What a node tells the supervisor that started it. */
export type Report =
  | { readonly kind: 'lease'; readonly leaseId: string }
  | {
      readonly kind: 'ready'
      readonly addresses: readonly string[]
      /** Where servers and admins reach it. */
      readonly control: string
    }
  | {
      readonly kind: 'status'
      readonly text: string
      /** The version of the game's code, where it runs any. */
      readonly code: number | undefined
    }

/** What the supervisor asks of a node. */
export type Order = 'drain'

const STATUS_INTERVAL_MS = 1000

const report = (message: Report): void => void process.send?.(message)

export interface NodeProgram {
  readonly role: Role
  readonly id: string
  readonly config: ArenaConfig
  readonly logger: Logger
  readonly reloader: Reloader
  /** The version of the code that it starts with. */
  readonly codeVersion: number
}

/** Runs one node as this process until SIGINT, SIGTERM, the end of a drain, or the end of its supervisor. */
export async function runNode({
  role,
  id,
  config,
  logger,
  reloader,
  codeVersion,
}: NodeProgram): Promise<number> {
  const releaseYoungGeneration = holdYoungGeneration()
  mkdirSync(dirname(config.store.file), { recursive: true })
  const store = await new SqliteStore({ file: config.store.file }).open()
  const vitals = new Vitals(systemClock)
  const version = new CodeVersion(reloader, codeVersion)
  try {
    const node = await startNodeOfRole(role, id, {
      config,
      clock: systemClock,
      random: systemRandom,
      logger,
      backend: new EtcdBackend({ hosts: process.env['ETCD_URL'] ?? [...config.registry.etcd] }),
      store,
      ttlSeconds: config.processes.ttlSeconds,
      vitals,
      reload: new ReloadService(reloader, vitals),
      codeVersion: () => version.current,
      onLease: (leaseId) => report({ kind: 'lease', leaseId }),
      servers: { transports: [tcp()], listen: config.listen.servers },
      players: await doors(role, config),
    })
    releaseYoungGeneration()
    report({ kind: 'ready', addresses: node.addresses, control: node.cluster.location.url })
    console.log(`${id} is ready: ${node.addresses.join(' ')}`)
    const runsCode = reloader.files.length > 0
    const tell = (): void =>
      report({
        kind: 'status',
        text: node.describe(),
        code: runsCode ? version.current : undefined,
      })
    reloader.afterReload(tell)
    await untilTheEnd(node, tell)
    await node.stop()
    return 0
  } finally {
    await store.close()
    reloader.close()
    process.channel?.unref()
  }
}

/** Where players come in: at gates alone, so that no other process loads KCP or WebSockets. */
async function doors(role: Role, { listen }: ArenaConfig): Promise<Surroundings['players']> {
  if (role !== 'gate') return { transports: [], listen: [] }
  const [{ kcp }, { ws }] = await Promise.all([import('@rts/rpc/kcp'), import('@rts/rpc/ws')])
  return { transports: [tcp(), kcp(), ws()], listen: [listen.tcp, listen.ws] }
}

/** Settles when the node should stop; a second signal ends the process at once. */
function untilTheEnd(node: ArenaNode, tell: () => void): Promise<void> {
  return new Promise((resolve) => {
    tell()
    // It also keeps the process alive: everything else may wait on unref'ed timers.
    const status = setInterval(tell, STATUS_INTERVAL_MS)
    let signals = 0
    const end = (): void => {
      clearInterval(status)
      resolve()
    }
    const onSignal = (): void => {
      signals += 1
      if (signals > 1) process.exit(1)
      end()
    }
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('disconnect', end)
    process.on('message', (order: Order) => {
      if (order === 'drain') void node.drain().then(end, end)
    })
  })
}
