import { Arena } from './arena.ts'
import type { Logger } from './arena-node.ts'
import type { ArenaConfig } from './config.ts'
import { play } from './playground.ts'
import { bold, formatTable } from './table.ts'

export interface DemoOptions {
  readonly config: ArenaConfig
  readonly logger: Logger
  readonly logFolder: string
  /** How long bots play when there is no terminal. */
  readonly seconds: number
  readonly bots: number
}

/** The whole arena in this process; returns the exit code. */
export async function demo({
  config,
  logger,
  logFolder,
  seconds,
  bots,
}: DemoOptions): Promise<number> {
  const arena = new Arena(config, logger)
  await arena.start()
  const game = config.nodes.find(({ role }) => role === 'game')?.id ?? ''
  let tell: (event: string) => void = () => {}
  const crash = (): string => {
    arena
      .crash(game)
      .then(() => tell(`${game} runs again`))
      .catch((error: unknown) => tell(`${game} did not start again: ${String(error)}`))
    return `${game} crashes; its players go on as soon as they have new seats`
  }
  try {
    return await play({
      banner: () => banner(arena, logFolder),
      loginUrl: () => arena.loginUrl,
      keys: [{ key: 'k', meaning: 'crash the game node', press: crash }],
      onTell: (given) => (tell = given),
      seconds,
      bots,
    })
  } finally {
    await arena.stop()
  }
}

function banner(arena: Arena, logFolder: string): string {
  const rows = arena.nodes.map(({ id, role, node }) => [
    id,
    role,
    node === undefined ? 'down' : node.describe(),
    node?.addresses.join('  ') ?? '',
  ])
  return [
    '',
    `  ${bold('arena')}: the whole deployment in one process`,
    '',
    ...formatTable(['node', 'role', 'now', 'address'], rows).map((line) => `  ${line}`),
    '',
    `  play at ${bold(arena.loginUrl)}   logs in ${logFolder}`,
    '',
  ].join('\n')
}
