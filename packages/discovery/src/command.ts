import type { Backend, KeyValue } from './backend.ts'
import { systemClock, type Clock } from './clock.ts'
import type { Command } from './command-options.ts'
import { nodesPrefix } from './keys.ts'
import { LiveView } from './live-view.ts'
import { silentLogger } from './logger.ts'
import { decodeRecord, type NodeRecord } from './node-record.ts'
import { clean, nodeTable } from './node-table.ts'
import { orderState } from './outside-state.ts'
import { systemRandom, type Random } from './random.ts'

/** Where a command writes to. */
export interface Terminal {
  write(text: string): void
  error(text: string): void
  /** Characters in a line. */
  columns(): number
  /** Somebody looks at it: tables are drawn over, with colors. */
  readonly isInteractive: boolean
  readonly hasColors: boolean
  /** The user has seen enough. */
  readonly stopped: AbortSignal
}

export interface Surroundings {
  readonly backend: Backend
  readonly terminal: Terminal
  readonly clock?: Clock
  readonly random?: Random
}

const REDRAW_MS = 100
const CALL_TIMEOUT_MS = 3000
const OTHER_SCREEN = '\u001B[?1049h\u001B[?25l'
const THIS_SCREEN = '\u001B[?25h\u001B[?1049l'
const HOME_AND_CLEAR = '\u001B[H\u001B[J'

/** Does what was asked; gives the exit code. Errors of the backend are thrown. */
export async function runCommand(command: Command, surroundings: Surroundings): Promise<number> {
  const { backend } = surroundings
  backend.open()
  try {
    if (command.name === 'list') return await list(command, surroundings)
    if (command.name === 'watch') return await watch(command, surroundings)
    return await order(command, surroundings)
  } finally {
    await backend.close()
  }
}

async function list(command: Command, { backend, terminal }: Surroundings): Promise<number> {
  const { entries } = await backend.range({ prefix: prefixOf(command) })
  const nodes = entries.flatMap((entry) => recordOf(entry) ?? [])
  if (command.isJson) {
    for (const node of nodes) terminal.write(`${JSON.stringify(node)}\n`)
  } else if (nodes.length === 0) {
    const role = command.role === undefined ? 'nodes' : `${command.role} nodes`
    terminal.error(`no ${role} in cluster ${command.cluster}\n`)
  } else {
    terminal.write(nodeTable(nodes, styleOf(terminal)))
  }
  return 0
}

async function order(
  { name, cluster, role = '', id = '', isJson }: Command,
  { backend, terminal, random = systemRandom }: Surroundings,
): Promise<number> {
  const state = name === 'drain' ? 'draining' : 'ready'
  const node = await orderState(backend, { cluster, role, id, state }, random)
  if (node === undefined) {
    terminal.error(`there is no node ${role}/${id} in cluster ${cluster}\n`)
    return 1
  }
  terminal.write(isJson ? `${JSON.stringify(node)}\n` : nodeTable([node], styleOf(terminal)))
  return 0
}

function watch(command: Command, surroundings: Surroundings): Promise<number> {
  const { backend, terminal, clock = systemClock, random = systemRandom } = surroundings
  const isDrawn = terminal.isInteractive && !command.isJson
  const nodes = new Map<string, NodeRecord>()
  let isFresh = false
  let cancelDraw: (() => void) | undefined
  const draw = (): void => {
    cancelDraw = undefined
    const table = nodeTable([...nodes.values()], styleOf(terminal))
    const note = isFresh ? '' : 'etcd does not answer: this is the last that was known\n'
    terminal.write(`${HOME_AND_CLEAR}${table}${note}`)
  }
  const redraw = (): void => {
    if (isDrawn) cancelDraw ??= clock.setTimer(REDRAW_MS, draw)
  }
  const tell = (change: 'join' | 'leave' | 'update', node: NodeRecord): void => {
    if (isDrawn) redraw()
    else if (command.isJson) terminal.write(`${JSON.stringify({ change, node })}\n`)
    else terminal.write(clean(`${change.padEnd(6)} ${node.role}/${node.id} ${node.state}`) + '\n')
  }
  return new Promise((resolve) => {
    if (isDrawn) terminal.write(OTHER_SCREEN)
    const view = new LiveView({
      backend,
      range: { prefix: prefixOf(command) },
      callTimeoutMs: CALL_TIMEOUT_MS,
      auditIntervalMs: 300_000,
      clock,
      random,
      logger: silentLogger,
      onChange: (before, after) => {
        const { key } = (after ?? before)!
        const known = nodes.get(key)
        const node = after && recordOf(after)
        if (node) {
          nodes.set(key, node)
          tell(known ? 'update' : 'join', node)
        } else if (known) {
          nodes.delete(key)
          tell('leave', known)
        }
      },
      onFresh: (fresh) => {
        isFresh = fresh
        if (!isDrawn && !fresh) terminal.error('etcd does not answer\n')
        redraw()
      },
      onInterrupted: redraw,
      onListed: redraw,
    })
    const stop = (): void => {
      view.close()
      cancelDraw?.()
      if (isDrawn) terminal.write(THIS_SCREEN)
      resolve(0)
    }
    if (terminal.stopped.aborted) stop()
    else terminal.stopped.addEventListener('abort', stop, { once: true })
  })
}

const prefixOf = ({ cluster, role }: Command): string =>
  role === undefined ? `/${cluster}/nodes/` : nodesPrefix(cluster, role)

const styleOf = (terminal: Terminal): { columns: number; hasColors: boolean } => ({
  columns: terminal.columns(),
  hasColors: terminal.hasColors,
})

/** What stands under a node's own key; anything else is not shown. */
function recordOf({ key, value }: KeyValue): NodeRecord | undefined {
  const node = decodeRecord(value)
  return node !== undefined && key.endsWith(`/nodes/${node.role}/${node.id}`) ? node : undefined
}
