import { watch as watchFolder } from 'node:fs'
import { join } from 'node:path'
import { findEtcd } from '@rts/testing'
import { ClusterReload } from './cluster-reload.ts'
import type { ArenaConfig, NodeEntry } from './config.ts'
import { HOT_FOLDERS } from './hot-code.ts'
import { play } from './playground.ts'
import { Supervisor } from './supervisor.ts'
import { bold, columns, formatTable, portsOf } from './table.ts'

const MARGIN = '  '
/** An editor may write a file in several steps. */
const QUIET_MS = 100

export interface ClusterOptions {
  readonly config: ArenaConfig
  readonly logFolder: string
  readonly seconds: number
  readonly bots: number
  /** Reload on save, too. */
  readonly watch: boolean
}

/** The arena as a process for each node, on a real etcd; returns the exit code. */
export async function cluster({
  config,
  logFolder,
  seconds,
  bots,
  watch,
}: ClusterOptions): Promise<number> {
  const etcd = await findEtcd({ onProgress: (line) => console.log(line) })
  if (etcd === undefined) {
    throw Object.assign(new Error('no etcd: set ETCD_URL, or install etcd or Docker'), {
      code: 'ARENA_NO_ETCD',
    })
  }
  const supervisor = new Supervisor({
    nodes: config.processes.nodes,
    etcdUrl: etcd.url,
    argumentsOf: (node) => nodeArguments(node, config, logFolder),
  })
  const reload = new ClusterReload(config, () => supervisor.nodes)
  const loginUrl = (): string =>
    supervisor.nodes.find(({ role }) => role === 'http')?.addresses[0] ?? ''
  let tell: (event: string) => void = () => {}
  const reloadAll = (): void => {
    void reload.run(tell).then(({ lines }) => lines.forEach(tell))
  }
  const stopWatching = watch ? onSave(reloadAll) : undefined
  let chosen = config.processes.nodes[0]?.id ?? ''
  const digits = config.processes.nodes.map((_node, index) => String(index + 1))
  try {
    console.log(`etcd: ${etcd.how}; starting ${config.processes.nodes.length} processes`)
    await supervisor.start()
    return await play({
      banner: () => banner(supervisor, chosen, loginUrl(), logFolder),
      loginUrl,
      keys: [
        {
          key: `1-${digits.length}`,
          meaning: 'choose a node',
          like: digits,
          press: (key) => {
            chosen = supervisor.nodes[Number(key) - 1]?.id ?? chosen
            return undefined
          },
        },
        {
          key: 'k',
          meaning: 'kill it',
          press: () => {
            supervisor.kill(chosen)
            return `kill -9 ${chosen}`
          },
        },
        {
          key: 'd',
          meaning: 'drain it',
          press: () => {
            supervisor.drain(chosen)
            return undefined
          },
        },
        {
          key: 'r',
          meaning: 'reload code',
          press: () => {
            if (reload.isRunning) return 'a reload is under way'
            return void reloadAll()
          },
        },
      ],
      onTell: (given) => {
        tell = given
        supervisor.on('event', given)
      },
      seconds,
      bots,
    })
  } finally {
    stopWatching?.()
    await reload.stop()
    await supervisor.stop()
    await etcd.stop()
  }
}

/** Calls when files of the game have been saved and nothing follows for a moment. Returns the stop. */
function onSave(saved: () => void): () => void {
  let soon: NodeJS.Timeout | undefined
  const watchers = HOT_FOLDERS.map((folder) =>
    watchFolder(folder, { persistent: false }, () => {
      clearTimeout(soon)
      soon = setTimeout(saved, QUIET_MS)
    }),
  )
  return () => {
    clearTimeout(soon)
    for (const watcher of watchers) watcher.close()
  }
}

function nodeArguments({ id, role }: NodeEntry, config: ArenaConfig, logFolder: string): string[] {
  const main = join(import.meta.dirname, 'main.js')
  const port = String(config.http.port)
  return [
    main,
    '--role',
    role,
    '--id',
    id,
    '--port',
    port,
    '--store',
    config.store.file,
    '--log',
    logFolder,
  ]
}

function banner(
  supervisor: Supervisor,
  chosen: string,
  loginUrl: string,
  logFolder: string,
): string {
  const rows = supervisor.nodes.map((node, index) => [
    `${node.id === chosen ? '>' : ' '} ${index + 1}`,
    node.id,
    node.state,
    String(node.pid ?? ''),
    String(node.restarts),
    String(node.code ?? '-'),
    node.status,
    portsOf(node.addresses),
  ])
  const heading = ['', 'node', 'state', 'pid', 'restarts', 'code', 'now', 'ports']
  const table = formatTable(heading, rows, columns() - MARGIN.length)
  return [
    '',
    `${MARGIN}${bold('arena')}: a process for each node`,
    '',
    ...table.map((line) => MARGIN + line),
    '',
    `${MARGIN}play at ${bold(loginUrl)}   logs in ${logFolder}`,
    '',
  ].join('\n')
}
