import type { Backend, KeyValue } from './backend.ts'
import { Balancer, type PickStats } from './balancer.ts'
import { inBackground, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { isPickWatched, publish } from './diagnostics.ts'
import { Emitter } from './emitter.ts'
import { DiscoveryError } from './errors.ts'
import type { Explanation } from './explain.ts'
import { nodesPrefix } from './keys.ts'
import { LiveView } from './live-view.ts'
import type { Load } from './load.ts'
import type { Logger } from './logger.ts'
import { decodeRecord, type NodeRecord } from './node-record.ts'
import type { LoadOf, Picked, PickOptions, PickPolicy } from './pick.ts'
import type { Picking } from './picking.ts'
import type { Random } from './random.ts'

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
  /** One node that is ready, or `undefined` when there is none. Say how it went with its `done`. */
  pick(options?: PickPolicy | PickOptions): Picked | undefined
  /** Why the next `pick` with these options falls where it does. Changes nothing. */
  explain(options?: PickPolicy | PickOptions): Explanation
  /** The last load heard from a node, over a link or in its record, and how old it is. */
  loadOf(id: string): { readonly load: Load; readonly ageMs: number } | undefined
  /** A node told its load over a link. */
  tell(id: string, load: Load): void
  /** The link to a node broke or cannot be made: nobody picks it until it is tried again, a second later at first. */
  lose(id: string): void
  /** A link to a node stands: what was held against it is forgotten. */
  restore(id: string): void
  stats(): PickStats
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
  readonly picking: Picking
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
  readonly #balancer: Balancer
  #nodes: readonly NodeRecord[] | undefined
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
    this.#balancer = new Balancer({
      picking: options.picking,
      loadOf: options.loadOf,
      now: () => clock.now(),
      defer: (fn) => clock.defer(fn),
      random,
      onHealth: (event) => {
        const { node, kind, forMs } = event
        logger.info('the standing of a node changed', { role, node: node.id, kind, forMs })
        publish('rts:discovery:health', () => ({ cluster, ...event }))
      },
    })
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
          `${this.#balancer.size} of ${count} ${this.role} nodes after ${timeoutMs} ms`,
        ),
    }).finally(() => void this.#waiters.delete(waiter))
  }

  pick(options?: PickPolicy | PickOptions): Picked | undefined {
    const picked = this.#balancer.pick(options)
    if (isPickWatched()) {
      const { cluster } = this.#options
      publish('rts:discovery:pick', () => ({ cluster, role: this.role, node: picked?.node }))
    }
    return picked
  }

  explain(options?: PickPolicy | PickOptions): Explanation {
    return this.#balancer.explain(options)
  }

  loadOf(id: string): { readonly load: Load; readonly ageMs: number } | undefined {
    return this.#balancer.loadOf(id)
  }

  tell(id: string, load: Load): void {
    this.#balancer.tell(id, load)
  }

  lose(id: string): void {
    this.#balancer.lose(id)
  }

  restore(id: string): void {
    this.#balancer.restore(id)
  }

  stats(): PickStats {
    return this.#balancer.stats()
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
      this.#balancer.set(node, this.#view.isListed)
      this.#changed(before ? 'update' : 'join', node)
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
    this.#balancer.remove(id)
    this.#changed('leave', node)
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

  #changed(change: 'join' | 'leave' | 'update', node: NodeRecord): void {
    this.#nodes = undefined
    const { cluster } = this.#options
    publish('rts:discovery:node', () => ({ cluster, role: this.role, change, node }))
    this.#settle()
  }

  #settle(): void {
    if (this.#waiters.size === 0 || !this.#view.isListed) return
    const { size } = this.#balancer
    for (const waiter of this.#waiters) if (size >= waiter.count) waiter.resolve()
  }
}
