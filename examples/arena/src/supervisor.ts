import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { EtcdBackend } from '@rts/discovery'
import type { NodeEntry } from './config.ts'
import type { Order, Report } from './process.ts'

const RESTART_MS = 300
const STOP_WITHIN_MS = 4000

export interface NodeProcess extends NodeEntry {
  readonly state: 'starting' | 'ready' | 'draining' | 'down'
  readonly pid: number | undefined
  readonly addresses: readonly string[]
  /** Where servers and admins reach it, while it runs. */
  readonly control: string | undefined
  /** The version of the game's code that it runs, if any. */
  readonly code: number | undefined
  /** What it said last about its work. */
  readonly status: string
  readonly restarts: number
}

type Entry = { -readonly [K in keyof NodeProcess]: NodeProcess[K] }

export interface SupervisorOptions {
  readonly nodes: readonly NodeEntry[]
  readonly etcdUrl: string
  /** Arguments of Node itself. @defaultValue those of this process */
  readonly execArgv?: readonly string[]
  /** Arguments for a node's process. */
  readonly argumentsOf: (node: NodeEntry) => readonly string[]
}

/** Starts a process for each node, restarts what dies, and ends the lease of what died, so that nobody waits for it. */
export class Supervisor extends EventEmitter<{ changed: []; event: [text: string] }> {
  readonly #options: SupervisorOptions
  readonly #backend: EtcdBackend
  readonly #entries: Entry[]
  readonly #children = new Map<string, ChildProcess>()
  readonly #leases = new Map<string, string>()
  #stopping = false

  constructor(options: SupervisorOptions) {
    super()
    this.#options = options
    this.#backend = new EtcdBackend({ hosts: options.etcdUrl })
    this.#entries = options.nodes.map(({ id, role }) => ({
      id,
      role,
      state: 'down',
      pid: undefined,
      addresses: [],
      control: undefined,
      code: undefined,
      status: '',
      restarts: 0,
    }))
  }

  get nodes(): readonly NodeProcess[] {
    return this.#entries
  }

  /** Settles when every node is ready. */
  async start(): Promise<void> {
    this.#backend.open()
    for (const entry of this.#entries) this.#start(entry)
    while (this.#entries.some(({ state }) => state !== 'ready')) {
      await new Promise<void>((resolve) => void this.once('changed', resolve))
    }
  }

  /** `kill -9`. */
  kill(id: string): void {
    this.#children.get(id)?.kill('SIGKILL')
  }

  /** Takes a node out of service, waits until it is empty, stops it and starts it again. */
  drain(id: string): void {
    const entry = this.#entries.find((other) => other.id === id)
    if (entry?.state !== 'ready') return
    this.#children.get(id)?.send('drain' satisfies Order)
    this.#change(entry, { state: 'draining' }, `${id} drains`)
  }

  /** Stops all nodes; one that does not stop in time is killed. */
  async stop(): Promise<void> {
    this.#stopping = true
    const children = [...this.#children.values()]
    for (const child of children) child.kill('SIGTERM')
    const gone = Promise.all(children.map((child) => ended(child)))
    const tooLate = new AbortController()
    await Promise.race([
      gone,
      sleep(STOP_WITHIN_MS, undefined, { signal: tooLate.signal }).catch(() => {}),
    ])
    tooLate.abort()
    for (const child of this.#children.values()) child.kill('SIGKILL')
    await this.#backend.close()
  }

  #start(entry: Entry): void {
    const { execArgv = process.execArgv, argumentsOf } = this.#options
    // Who starts again loads the files as they are: what the others of its role run.
    const version = Math.max(
      ...this.#entries.map((e) => (e.role === entry.role ? (e.code ?? 1) : 1)),
    )
    const args = [...execArgv, ...argumentsOf(entry), '--code-version', String(version)]
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ETCD_URL: this.#options.etcdUrl },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let lastWords = ''
    child.stderr?.on('data', (chunk: Buffer) => (lastWords = chunk.toString().trim()))
    child.on('message', (message) => this.#hear(entry, message as Report))
    child.on('error', (error) => (lastWords = error.message))
    void ended(child).then(() => this.#ended(entry, child, lastWords))
    this.#children.set(entry.id, child)
    this.#change(entry, { state: 'starting', pid: child.pid, addresses: [], status: '' })
  }

  #hear(entry: Entry, message: Report): void {
    if (message.kind === 'lease') this.#leases.set(entry.id, message.leaseId)
    else if (message.kind === 'status')
      this.#change(entry, { status: message.text, code: message.code })
    else {
      const { addresses, control } = message
      this.#change(entry, { state: 'ready', addresses, control }, `${entry.id} is ready`)
    }
  }

  async #ended(entry: Entry, child: ChildProcess, lastWords: string): Promise<void> {
    this.#children.delete(entry.id)
    const how = child.signalCode ?? `exit ${child.exitCode}`
    const isFailure = child.signalCode === null && child.exitCode !== 0
    const said = isFailure && lastWords !== '' ? `: ${lastWords}` : ''
    this.#change(
      entry,
      { state: 'down', pid: undefined, control: undefined, status: '' },
      `${entry.id} ended (${how})${said}`,
    )
    await this.#revoke(entry.id)
    if (this.#stopping) return
    await sleep(RESTART_MS)
    if (this.#stopping) return
    entry.restarts += 1
    this.#start(entry)
  }

  /** The process is surely gone, so nobody needs to wait until its lease runs out. */
  async #revoke(id: string): Promise<void> {
    const lease = this.#leases.get(id)
    this.#leases.delete(id)
    if (lease === undefined) return
    try {
      await this.#backend.revokeLease(lease)
    } catch {
      // etcd is away or the lease has ended by itself: then it runs out, or has.
    }
  }

  #change(entry: Entry, change: Partial<Entry>, event?: string): void {
    Object.assign(entry, change)
    if (event !== undefined) this.emit('event', event)
    this.emit('changed')
  }
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('close', () => resolve()).once('error', () => resolve())
  })
