import { parseArgs } from 'node:util'
import { createLogger } from '@rts/log'
import type { Reloader } from '@rts/reload'
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
    /** The number of the game's code in this process before its first reload. */
    'code-version': { type: 'string', default: '1' },
    /** Instead of the length of a match in the configuration. */
    'match-seconds': { type: 'string' },
    /** The cluster reloads on save, as the demo does. */
    watch: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '10' },
    bots: { type: 'string', default: '10' },
  },
})

/** Does what the command line says; resolves with the exit code. */
export async function run(): Promise<number> {
  const config = override(await loadConfig(values.config))
  if (values.role !== undefined) return runRole(values.role, config)
  const logFolder = values.log ?? LOG_FOLDER
  const shared = { config, logFolder, seconds: Number(values.seconds), bots: Number(values.bots) }
  switch (positionals[0]) {
    case 'demo': {
      const reloader = await hotCode()
      const { demo } = await import('./demo.ts')
      const logger = createLogger({ name: 'arena', console: false, file: { folder: logFolder } })
      return demo({ ...shared, logger, reloader })
    }
    case 'cluster': {
      const { cluster } = await import('./cluster.ts')
      return cluster({ ...shared, watch: values.watch })
    }
    default:
      throw new RangeError('say what to start: "demo", "cluster", or --role and --id')
  }
}

/** Called before the rest is loaded: what is loaded then stays as it is. */
async function hotCode(): Promise<Reloader> {
  const { makeHot } = await import('./hot-code.ts')
  return makeHot()
}

async function runRole(role: string, config: ArenaConfig): Promise<number> {
  if (!ROLES.includes(role)) {
    throw new RangeError(`--role is one of ${ROLES.join(', ')}, not "${role}"`)
  }
  const id = values.id ?? `${role}_1`
  const file = values.log === undefined ? false : { folder: values.log }
  const logger = createLogger({ name: id, console: file === false, file })
  const reloader = await hotCode()
  const { runNode } = await import('./process.ts')
  const codeVersion = Number(values['code-version'])
  return runNode({ role: role as Role, id, config, logger, reloader, codeVersion })
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
