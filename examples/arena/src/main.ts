// The arena's programs:
//   main.ts demo [--seconds 10] [--bots 10]     everything in this process, nothing else needed
//   main.ts cluster [--seconds 10] [--bots 10]  a process for each node, on a real etcd, watched and restarted
//   main.ts --role game --id game_1             one node as this process, on the etcd of the configuration
import { parseArgs } from 'node:util'
import { createLogger } from '@rts/log'
import { loadConfig, type ArenaConfig, type Role } from './config.ts'

const ROLES: readonly string[] = ['gate', 'lobby', 'game', 'http'] satisfies readonly Role[]
const LOG_FOLDER = '.data/log'

// What a process does not do, it does not load: the programs are imported where they start.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string' },
    role: { type: 'string' },
    id: { type: 'string' },
    /** The port of the login; 0 is any free one. */
    port: { type: 'string' },
    /** The folder of the log files. @defaultValue the terminal for a single node */
    log: { type: 'string' },
    /** The SQLite file; `:memory:` keeps nothing. */
    store: { type: 'string' },
    /** Instead of the length of a match in the configuration. */
    'match-seconds': { type: 'string' },
    seconds: { type: 'string', default: '10' },
    bots: { type: 'string', default: '10' },
  },
})

async function main(): Promise<number> {
  const config = override(await loadConfig(values.config))
  if (values.role !== undefined) return runRole(values.role, config)
  const logFolder = values.log ?? LOG_FOLDER
  const shared = { config, logFolder, seconds: Number(values.seconds), bots: Number(values.bots) }
  switch (positionals[0]) {
    case 'demo': {
      const { demo } = await import('./demo.ts')
      const logger = createLogger({ name: 'arena', console: false, file: { folder: logFolder } })
      return demo({ ...shared, logger })
    }
    case 'cluster': {
      const { cluster } = await import('./cluster.ts')
      return cluster(shared)
    }
    default:
      throw new RangeError('say what to start: "demo", "cluster", or --role and --id')
  }
}

async function runRole(role: string, config: ArenaConfig): Promise<number> {
  if (!ROLES.includes(role)) {
    throw new RangeError(`--role is one of ${ROLES.join(', ')}, not "${role}"`)
  }
  const id = values.id ?? `${role}_1`
  const file = values.log === undefined ? false : { folder: values.log }
  const logger = createLogger({ name: id, console: file === false, file })
  const { runNode } = await import('./process.ts')
  return runNode(role as Role, id, config, logger)
}

function override(config: ArenaConfig): ArenaConfig {
  const port = values.port === undefined ? config.http.port : Number(values.port)
  return {
    ...config,
    http: { ...config.http, port },
    store: { ...config.store, file: values.store ?? config.store.file },
    room: {
      ...config.room,
      matchSeconds: Number(values['match-seconds'] ?? config.room.matchSeconds),
    },
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  const { code } = error as { code?: unknown }
  console.error(
    `${typeof code === 'string' ? `${code}: ` : ''}${error instanceof Error ? error.message : String(error)}`,
  )
  process.exitCode = 1
}
