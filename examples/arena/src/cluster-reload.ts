import {
  canary,
  type CanaryResult,
  type ReloadHealth,
  type ReloadService,
  type ReloadSummary,
  type RemoteReload,
} from '@rts/reload'
import { RpcNode, withCall } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { tcp } from '@rts/rpc/tcp'
import type { ArenaConfig } from './config.ts'
import { short } from './hot-code.ts'
import { counted } from './status.ts'
import type { NodeProcess } from './supervisor.ts'

/** Reading, rewriting and compiling what changed may wait for a busy machine. */
const RELOAD_TIMEOUT_MS = 20_000
const MAX_NAMES = 3

interface RunningNode extends RemoteReload {
  readonly id: string
  readonly role: string
  /** Files of the game that it runs. */
  readonly files: number
  /** What it has done so far: the busiest one shows most about an edit. */
  readonly calls: number
}

/** What a reload of the cluster came to. */
export interface ClusterReloadResult extends CanaryResult {
  /** The same for people. */
  readonly lines: readonly string[]
}

/** Brings changed code to the nodes of a cluster, as an admin: the busiest node of each role first, the rest when that holds. */
export class ClusterReload {
  readonly #config: ArenaConfig
  readonly #nodes: () => readonly NodeProcess[]
  readonly #rpc: RpcNode
  #running: Promise<ClusterReloadResult> | undefined

  constructor(config: ArenaConfig, nodes: () => readonly NodeProcess[]) {
    this.#config = config
    this.#nodes = nodes
    this.#rpc = new RpcNode({
      id: 'supervisor',
      transports: [tcp()],
      ...(config.adminKey !== '' && { admin: clusterKey(config.adminKey) }),
      defaultTimeoutMs: RELOAD_TIMEOUT_MS,
    })
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** One at a time: who asks meanwhile gets the result of the one that runs. */
  run(tell: (line: string) => void = () => {}): Promise<ClusterReloadResult> {
    return (this.#running ??= this.#run(tell).finally(() => (this.#running = undefined)))
  }

  async stop(): Promise<void> {
    await this.#rpc.close()
  }

  async #run(tell: (line: string) => void): Promise<ClusterReloadResult> {
    if (this.#config.adminKey === '')
      return refused('the configuration has no adminKey: nobody may reload')
    const all = await this.#reachable()
    const concerned = all.filter(({ files }) => files > 0)
    if (concerned.length === 0) return refused('no node can be reached that runs code of the game')
    const byWork = concerned.toSorted((a, b) => b.calls - a.calls)
    const roles = [...new Set(concerned.map(({ role }) => role))].sort()
    const first = roles.map((role) => byWork.find((node) => node.role === role)!.id)
    const { watchMs, sampleMs, tolerance } = this.#config.reload
    const result = await canary(new Map(concerned.map((node) => [node.id, node])), {
      first,
      watchMs,
      sampleMs,
      tolerance,
      onWatch: (watched) =>
        tell(`${list(watched)}: new code, watched for ${watchMs / 1000} s; the others wait`),
    })
    return { ...result, lines: describe(result, concerned) }
  }

  async #reachable(): Promise<RunningNode[]> {
    const found = await Promise.all(this.#nodes().map((node) => this.#reach(node)))
    return found.filter((node) => node !== undefined)
  }

  async #reach({ id, role, control }: NodeProcess): Promise<RunningNode | undefined> {
    if (control === undefined) return undefined
    try {
      const peer = await this.#rpc.connect(control)
      const service = peer.service<typeof ReloadService, 'admin'>('reload')
      const quick = withCall(service, { timeoutMs: 2000 })
      const { calls = 0 } = await quick.health()
      const { files } = await quick.status()
      return {
        id,
        role,
        files,
        calls,
        incremental: () => service.incremental(),
        rollback: () => service.rollback(),
        health: (): Promise<ReloadHealth> => quick.health(),
      }
    } catch {
      // It is about to die or to start: then it starts with the code as it is.
      return undefined
    }
  }
}

const refused = (reason: string): ClusterReloadResult => ({
  outcome: 'refused',
  reloaded: [],
  stuck: [],
  summaries: new Map(),
  reason,
  lines: [reason],
})

function describe(result: CanaryResult, nodes: readonly RunningNode[]): string[] {
  const { outcome, reason, stuck, reloaded, summaries } = result
  switch (outcome) {
    case 'nothing-changed':
      return ['no file of the game has changed since the nodes loaded it']
    case 'refused':
      return [`nothing changed anywhere: ${short(reason)}`, ...lost(stuck)]
    case 'rolled-back': {
      const others = nodes.length - summaries.size
      const untouched = others > 0 ? `; ${counted(others, 'other node')} never had the edit` : ''
      return [
        `taken back: ${short(reason)}`,
        stuck.length === 0
          ? `all nodes run the code before${untouched}. Undo the edit: a node that restarts loads the file`
          : 'undo the edit, and reload again',
        ...lost(stuck),
      ]
    }
    case 'reloaded': {
      const done = [...summaries.values()].filter(({ files }) => files.length > 0)
      return [`${list(reloaded)}: new code, ${whatChanged(done)}`, ...warningsOf(done)]
    }
  }
}

function whatChanged(summaries: readonly ReloadSummary[]): string {
  const files = unique(summaries.flatMap((one) => one.files.map(({ file }) => short(file))))
  const classes = unique(summaries.flatMap((one) => one.classes))
  const slowest = Math.max(...summaries.map(({ applyMs }) => applyMs))
  const patched = classes.length === 0 ? '' : `, class ${some(classes)}`
  return `${some(files)}${patched}, in ${slowest.toFixed(1)} ms at most`
}

const warningsOf = (summaries: readonly ReloadSummary[]): string[] =>
  unique(summaries.flatMap(({ warnings }) => warnings)).map((warning) => `! ${short(warning)}`)

const lost = (stuck: readonly string[]): string[] =>
  stuck.map((text) => `! still with the new code: ${short(text)}`)

const unique = (values: readonly string[]): string[] => [...new Set(values)]
const list = (names: readonly string[]): string => names.toSorted().join(', ')
const some = (names: readonly string[]): string =>
  names.length <= MAX_NAMES
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMES - 1).join(', ')} and ${names.length - MAX_NAMES + 1} more`
