import { watch, type ReloadReport, type Reloader } from '@rts/reload'
import { Arena } from './arena.ts'
import type { Logger } from './arena-node.ts'
import type { ArenaConfig } from './config.ts'
import { short } from './hot-code.ts'
import { play } from './playground.ts'
import { bold, columns, formatTable, portsOf } from './table.ts'

const MARGIN = '  '

export interface DemoOptions {
  readonly config: ArenaConfig
  readonly logger: Logger
  readonly logFolder: string
  /** How long bots play when there is no terminal. */
  readonly seconds: number
  readonly bots: number
  readonly reloader: Reloader
}

/** The whole arena in this process; returns the exit code. */
export async function demo({
  config,
  logger,
  logFolder,
  seconds,
  bots,
  reloader,
}: DemoOptions): Promise<number> {
  const arena = new Arena(config, logger, () => reloader.version)
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
  const reload = (): undefined => void reloader.full().then(reloaded)
  const reloaded = (report: ReloadReport): void => {
    for (const line of describeReload(report)) tell(line)
  }
  const stopWatching = watch(reloader, { onReload: reloaded })
  try {
    return await play({
      banner: () => banner(arena, logFolder, reloader.version),
      loginUrl: () => arena.loginUrl,
      keys: [
        { key: 'k', meaning: 'crash the game node', press: crash },
        { key: 'r', meaning: 'reload the code', press: reload },
      ],
      onTell: (given) => (tell = given),
      seconds,
      bots,
    })
  } finally {
    stopWatching()
    reloader.close()
    await arena.stop()
  }
}

/** What a reload did, in a line; and what of the change does not reach what runs. */
function describeReload({
  ok,
  version,
  files,
  failure,
  warnings,
  applyMs,
}: ReloadReport): string[] {
  if (!ok) return [`not reloaded, all as before: ${short(failure?.message ?? '')}`]
  const names = files.map(({ file }) => short(file))
  const what = names.length > 3 ? `${names.length} files` : names.join(', ')
  return [
    `code ${version}: ${what} in ${applyMs.toFixed(1)} ms`,
    ...warnings.map(({ file, line, message }) => `! ${short(file)}:${line ?? 1} ${message}`),
  ]
}

function banner(arena: Arena, logFolder: string, version: number): string {
  const rows = arena.nodes.map(({ id, role, node }) => [
    id,
    role,
    node === undefined ? 'down' : node.describe(),
    portsOf(node?.addresses ?? []),
  ])
  const table = formatTable(['node', 'role', 'now', 'ports'], rows, columns() - MARGIN.length)
  return [
    '',
    `${MARGIN}${bold('arena')}: the whole deployment in one process, code ${version}`,
    '',
    ...table.map((line) => MARGIN + line),
    '',
    `${MARGIN}play at ${bold(arena.loginUrl)}   logs in ${logFolder}`,
    '',
  ].join('\n')
}
