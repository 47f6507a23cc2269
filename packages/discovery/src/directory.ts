import type { Backend, KeyValue } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { Emitter } from './emitter.ts'
import { DiscoveryError } from './errors.ts'
import { nodesPrefix } from './keys.ts'
import { LiveView } from './live-view.ts'
import type { Logger } from './logger.ts'
import { decodeRecord, type NodeRecord } from './node-record.ts'
import { Picker, type LoadOf, type PickOptions, type PickPolicy, type Turn } from './pick.ts'
import { unitFrom, type Random } from './random.ts'

export interface DirectoryEvents {
  join: (node: NodeRecord) => void
  leave: (node: NodeRecord) => void
  update: (node: NodeRecord, before: NodeRecord) => void
  /** The backend can no longer be heard (`true`), or can be heard again. */
  stale: (isStale: boolean) => void
}

export interface ReadyOptions {
  /** How many nodes that may be picked there must be. A whole number from 0. @defaultValue 1 */
  readonly count?: number
  /** @defaultValue 10000 */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** The live view of the nodes of one role. */
export interface Directory {
  readonly role: string
  /** Every node, also those that are never picked, in the order of their ids. A new array after each change. */
  readonly nodes: readonly NodeRecord[]
  /** The backend is not heard: `nodes` is the last good view. True until the first one. */
  readonly stale: boolean
  get(id: string): NodeRecord | undefined
  /** Settles once the view has been read and has enough nodes; else `DISCOVERY_NOT_READY`. */
  ready(options?: ReadyOptions): Promise<void>
  /** One node that is ready, or `undefined` when there is none. */
  pick(options?: PickPolicy | PickOptions): NodeRecord | undefined
  /** Returns the undo. */
  on<E extends keyof DirectoryEvents>(event: E, listener: DirectoryEvents[E]): () => void
}

export interface LiveDirectoryOptions {
  readonly backend: Backend
  readonly cluster: string
  readonly role: string
  readonly callTimeoutMs: number
  readonly auditIntervalMs: number
  readonly fleet: () => number
  readonly removalGraceMs: number
  readonly loadOf: LoadOf | undefined
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

interface Waiter {
  readonly count: number
  readonly resolve: () => void
  readonly reject: (error: DiscoveryError) => void
}

const stopped = (): DiscoveryError =>
  new DiscoveryError('DISCOVERY_STOPPED', 'the registry of this directory was stopped')

export class LiveDirectory implements Directory {
  readonly role: string
  readonly #options: LiveDirectoryOptions
  readonly #prefix: string
  readonly #view: LiveView
  readonly #emitter: Emitter<DirectoryEvents>
  readonly #byId = new Map<string, NodeRecord>()
  /** Nodes whose entry went while the backend was coming back; they leave when the grace ends. */
  readonly #held = new Set<string>()
  readonly #waiters = new Set<Waiter>()
  readonly #turn: Turn
  #nodes: readonly NodeRecord[] | undefined
  #picker: Picker | undefined
  #isInterrupted = false
  #isClosed = false
  #graceUntil = -Infinity
  #cancelGrace: () => void = () => {}
  #malformed = 0

  constructor(options: LiveDirectoryOptions) {
    const { backend, cluster, role, callTimeoutMs, auditIntervalMs, clock, random, logger } =
      options
    this.role = role
    this.#options = options
    this.#prefix = nodesPrefix(cluster, role)
    // Each process starts elsewhere, or all would send their first call to the same node.
    this.#turn = { next: Math.floor(unitFrom(random) * 65_536) }
    this.#emitter = new Emitter((event, error) =>
      logger.error('a directory listener threw', { role, event, error }),
    )
    this.#view = new LiveView({
      backend,
      range: { prefix: this.#prefix },
      callTimeoutMs,
      auditIntervalMs,
      fleet: options.fleet,
      clock,
      random,
      logger,
      onChange: (before, after) => this.#onChange((after ?? before)!.key, after),
      onFresh: (isFresh) => this.#onFresh(isFresh),
      onInterrupted: () => this.#onInterrupted(),
      onListed: () => this.#settle(),
    })
  }

  get nodes(): readonly NodeRecord[] {
    return (this.#nodes ??= [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1)))
  }

  get stale(): boolean {
    return !this.#view.isFresh
  }

  /** Entries that were not node records. */
  get malformed(): number {
    return this.#malformed
  }

  get lists(): number {
    return this.#view.listCount
  }

  get(id: string): NodeRecord | undefined {
    return this.#byId.get(id)
  }

  ready(options: ReadyOptions = {}): Promise<void> {
    const { count = 1, timeoutMs = 10_000, signal } = options
    const { promise: enough, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { count, resolve, reject }
    if (this.#isClosed) reject(stopped())
    this.#waiters.add(waiter)
    this.#settle()
    return withDeadline(enough, {
      clock: this.#options.clock,
      timeoutMs,
      signal,
      onTimeout: () =>
        new DiscoveryError(
          'DISCOVERY_NOT_READY',
          `${this.#pickerNow().size} of ${count} ${this.role} nodes after ${timeoutMs} ms`,
        ),
    }).finally(() => void this.#waiters.delete(waiter))
  }

  pick(options: PickPolicy | PickOptions = {}): NodeRecord | undefined {
    const {
      policy = 'p2c',
      loadOf = this.#options.loadOf,
      where,
    } = typeof options === 'string' ? { policy: options } : options
    const picker = where ? this.#pickerOf(this.nodes.filter(where)) : this.#pickerNow()
    return picker.pick(policy, loadOf)
  }

  on<E extends keyof DirectoryEvents>(event: E, listener: DirectoryEvents[E]): () => void {
    return this.#emitter.on(event, listener)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelGrace()
    this.#view.close()
    for (const waiter of this.#waiters) waiter.reject(stopped())
  }

  #pickerNow(): Picker {
    return (this.#picker ??= this.#pickerOf(this.nodes))
  }

  #pickerOf(nodes: readonly NodeRecord[]): Picker {
    return new Picker(nodes, this.#options.random, this.#turn)
  }

  #onInterrupted(): void {
    this.#isInterrupted = true
    this.#graceUntil = Infinity
    this.#cancelGrace()
  }

  #onFresh(isFresh: boolean): void {
    const { clock, removalGraceMs } = this.#options
    if (isFresh && this.#isInterrupted) {
      this.#isInterrupted = false
      this.#graceUntil = clock.now() + removalGraceMs
      this.#cancelGrace = inBackground(clock).setTimer(removalGraceMs, () => this.#endGrace())
    }
    this.#emitter.emit('stale', !isFresh)
  }

  #onChange(key: string, after: KeyValue | undefined): void {
    const id = key.slice(this.#prefix.length)
    const node = after && this.#decode(id, after)
    const before = this.#byId.get(id)
    if (node) {
      this.#held.delete(id)
      if (before && JSON.stringify(before) === JSON.stringify(node)) return
      this.#byId.set(id, node)
      this.#changed()
      if (before) this.#emitter.emit('update', node, before)
      else this.#emitter.emit('join', node)
    } else if (before) {
      // Who says goodbye first means it; who vanishes while the backend was away is probably coming back.
      if (before.state !== 'draining' && this.#options.clock.now() < this.#graceUntil) {
        this.#held.add(id)
      } else this.#remove(id, before)
    }
  }

  #remove(id: string, node: NodeRecord): void {
    this.#held.delete(id)
    this.#byId.delete(id)
    this.#changed()
    this.#emitter.emit('leave', node)
  }

  #endGrace(): void {
    this.#graceUntil = -Infinity
    for (const id of [...this.#held]) {
      const node = this.#byId.get(id)
      if (node) this.#remove(id, node)
    }
  }

  #decode(id: string, entry: KeyValue): NodeRecord | undefined {
    const node = decodeRecord(entry.value)
    if (node && node.id === id && node.role === this.role) return node
    this.#malformed++
    this.#options.logger.warn('not a node record, ignored', { key: entry.key })
    return undefined
  }

  #changed(): void {
    this.#nodes = undefined
    this.#picker = undefined
    this.#settle()
  }

  #settle(): void {
    if (this.#waiters.size === 0 || !this.#view.isListed) return
    const { size } = this.#pickerNow()
    for (const waiter of this.#waiters) if (size >= waiter.count) waiter.resolve()
  }
}
