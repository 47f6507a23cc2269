import type {
  Backend,
  CallOptions,
  KeyRange,
  KeyValue,
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  RangeResult,
  Transaction,
  TransactionResult,
  WatchEnd,
  WatchHandle,
  WatchHandlers,
} from './backend.ts'
import { inBackground, systemClock, type Clock } from './clock.ts'
import { pause, withDeadline } from './deadline.ts'
import { DiscoveryError } from './errors.ts'
import { inRange, KvStore, type Commit } from './kv-store.ts'
import { checkNumber } from './options.ts'

export interface MemoryBackendOptions {
  /** Ends leases. @defaultValue the machine's clock */
  readonly clock?: Clock
  /**
   * Where revisions begin, and so the fences of claims. What outlives the process, such as a store that has seen
   * fences, wants them to grow over restarts: the time in milliseconds does that. A whole number from 1.
   * @defaultValue 1
   */
  readonly firstRevision?: number
}

/**
 * How a connection fails.
 * - `refuse`: calls fail at once and did nothing, watches end
 * - `hang`: calls get no answer and do nothing, watches are silent
 * - `mute`: calls are done and get no answer, watches are silent
 */
export type MemoryFault = 'refuse' | 'hang' | 'mute'

/** What a piece of work gives back and what it changed. */
interface Done<T> {
  readonly value: T
  readonly commits: readonly Commit[]
}

/** What all connections share: the store, its watches, and the timer that ends leases. */
class Hub {
  store: KvStore
  readonly clock: Clock
  readonly watches = new Set<MemoryWatch>()
  /** The server is down: nothing expires. */
  isDown = false
  #cancelExpiry: () => void = () => {}
  #expiryAt = Infinity

  constructor(clock: Clock, firstRevision: number) {
    this.clock = clock
    this.store = new KvStore(firstRevision)
  }

  /** Ends the leases that are due, then does the work; watches hear of both. */
  run<T>(work: (store: KvStore) => Done<T>): T {
    if (!this.isDown) this.#publish(this.store.expireLeases(this.clock.now()))
    const { value, commits } = work(this.store)
    this.#publish(commits)
    this.#planExpiry()
    return value
  }

  /** Ends what is due, plans the next end, and wakes the watches that a fault kept silent. */
  refresh(): void {
    this.run(() => ({ value: undefined, commits: [] }))
  }

  #publish(commits: readonly Commit[]): void {
    for (const watch of [...this.watches]) watch.push(commits)
  }

  #planExpiry(): void {
    const next = this.isDown ? Infinity : this.store.nextExpiry()
    if (next === this.#expiryAt) return
    this.#cancelExpiry()
    this.#expiryAt = next
    if (next === Infinity) return
    const delayMs = Math.max(0, next - this.clock.now())
    this.#cancelExpiry = inBackground(this.clock).setTimer(delayMs, () => {
      this.#expiryAt = Infinity
      this.refresh()
    })
  }
}

/**
 * A store in this process, shaped as etcd. Registries that are given the same object, or its
 * {@link MemoryBackend.client | clients}, see each other. Under a stepped clock it is deterministic.
 */
export class MemoryBackend implements Backend {
  readonly name = 'memory'
  readonly isShared = true
  #hub: Hub
  #parent: MemoryBackend | undefined
  #ownFault: MemoryFault | undefined
  #ownLatencyMs = 0

  constructor(options: MemoryBackendOptions = {}) {
    const firstRevision = checkNumber('firstRevision', options.firstRevision ?? 1, 1, true)
    this.#hub = new Hub(options.clock ?? systemClock, firstRevision)
  }

  /** Another connection to the same store with fault switches of its own: one for each simulated node. */
  client(): MemoryBackend {
    const client = new MemoryBackend()
    client.#hub = this.#hub
    client.#parent = this
    return client
  }

  open(): void {}

  close(): Promise<void> {
    return Promise.resolve()
  }

  range(range: KeyRange, options?: CallOptions): Promise<RangeResult> {
    return this.#call(options, (store) => ({ value: store.range(range), commits: [] }))
  }

  entryAt(key: string, revision: number, options?: CallOptions): Promise<KeyValue | undefined> {
    return this.#call(options, (store) => ({ value: store.entryAt(key, revision), commits: [] }))
  }

  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    return this.#call(options, (store) => {
      const done = store.transact(transaction)
      if (!done) throw new DiscoveryError('DISCOVERY_LEASE_LOST', 'the lease of a put is gone')
      return { value: done.result, commits: done.commit ? [done.commit] : [] }
    })
  }

  grantLease(ttlSeconds: number, options?: CallOptions): Promise<LeaseGrant> {
    const { clock } = this.#hub
    return this.#call(options, (store) => ({
      value: store.grantLease(ttlSeconds, clock.now()),
      commits: [],
    }))
  }

  keepAlive(lease: LeaseId, options?: CallOptions): Promise<number> {
    const { clock } = this.#hub
    return this.#call(options, (store) => ({
      value: store.keepAlive(lease, clock.now()),
      commits: [],
    }))
  }

  leaseStatus(lease: LeaseId, options?: CallOptions): Promise<LeaseStatus> {
    const { clock } = this.#hub
    return this.#call(options, (store) => ({
      value: store.leaseStatus(lease, clock.now()),
      commits: [],
    }))
  }

  revokeLease(lease: LeaseId, options?: CallOptions): Promise<void> {
    return this.#call(options, (store) => {
      const commit = store.revokeLease(lease)
      return { value: undefined, commits: commit ? [commit] : [] }
    })
  }

  watch(range: KeyRange, fromRevision: number, handlers: WatchHandlers): WatchHandle {
    const watch = new MemoryWatch(this.#hub, this, range, handlers)
    watch.start(fromRevision)
    return { close: () => watch.stop() }
  }

  /** The fault that holds here: that of the connection it came from, else its own. */
  get fault(): MemoryFault | undefined {
    return this.#parent?.fault ?? this.#ownFault
  }

  /**
   * Switches a fault of this connection and its clients on, or off. `refuse` on the first connection stops
   * the store itself: no lease ends meanwhile, and all have their whole time afterwards, as in etcd.
   */
  setFault(fault: MemoryFault | undefined): void {
    this.#ownFault = fault
    const hub = this.#hub
    if (this.#parent === undefined) {
      if (hub.isDown && fault !== 'refuse') hub.store.refreshLeases(hub.clock.now())
      hub.isDown = fault === 'refuse'
    }
    if (fault === 'refuse') this.dropWatches()
    hub.refresh()
  }

  /** How long each call on this connection and its clients takes, in milliseconds; half of it each way. */
  get latencyMs(): number {
    return this.#ownLatencyMs + (this.#parent?.latencyMs ?? 0)
  }

  /** A call whose caller has stopped waiting is done all the same when it arrives. */
  setLatency(latencyMs: number): void {
    this.#ownLatencyMs = latencyMs
  }

  /** `setFault('refuse')` and back. */
  setAvailable(isAvailable: boolean): void {
    this.setFault(isAvailable ? undefined : 'refuse')
  }

  /** Ends the watches of this connection and its clients as a cut link does. */
  dropWatches(): void {
    for (const watch of [...this.#hub.watches]) {
      if (watch.backend.#isWithin(this)) watch.end({ kind: 'disconnected' })
    }
  }

  /** Forgets the history up to `revision` (default: all of it): a watch from there must list again. */
  compact(revision: number = this.#hub.store.revision): void {
    this.#hub.store.compact(revision)
  }

  /** Ends a lease as if its time were over. */
  expireLease(lease: LeaseId): void {
    this.#hub.run((store) => {
      const commit = store.revokeLease(lease)
      return { value: undefined, commits: commit ? [commit] : [] }
    })
  }

  /** When a lease will end, as this store's clock counts; `-Infinity` for one that is gone. */
  leaseEndsAt(lease: LeaseId): number {
    return this.#hub.store.leaseEndsAt(lease)
  }

  /** Replaces the store with an empty one, as an etcd that comes back on an empty disk. */
  wipe(): void {
    for (const watch of [...this.#hub.watches]) watch.end({ kind: 'disconnected' })
    this.#hub.store = new KvStore()
    this.#hub.refresh()
  }

  #isWithin(ancestor: MemoryBackend): boolean {
    return this === ancestor || (this.#parent !== undefined && this.#parent.#isWithin(ancestor))
  }

  async #call<T>(options: CallOptions | undefined, work: (store: KvStore) => Done<T>): Promise<T> {
    options?.signal?.throwIfAborted()
    if (this.fault === 'refuse') throw refused('no')
    if (this.fault === undefined && this.latencyMs === 0) return this.#hub.run(work)
    const timeoutMs = options?.timeoutMs ?? 3000
    return withDeadline(this.#roundTrip(work), {
      clock: this.#hub.clock,
      timeoutMs,
      signal: options?.signal,
      onTimeout: () =>
        new DiscoveryError('DISCOVERY_UNAVAILABLE', `no answer within ${timeoutMs} ms`, {
          executed: 'maybe',
        }),
    })
  }

  async #roundTrip<T>(work: (store: KvStore) => Done<T>): Promise<T> {
    const { clock } = this.#hub
    const halfMs = this.latencyMs / 2
    const never = new Promise<T>(() => {})
    if (this.fault === 'hang') return never
    if (halfMs > 0) await pause(clock, halfMs)
    this.#checkLink()
    const value = this.#hub.run(work)
    if (halfMs > 0) await pause(clock, halfMs)
    this.#checkLink()
    return this.fault === undefined ? value : never
  }

  /** A request or an answer that is on its way goes down with the link. */
  #checkLink(): void {
    if (this.fault === 'refuse') throw refused('maybe')
  }
}

const refused = (executed: 'no' | 'maybe'): DiscoveryError =>
  new DiscoveryError('DISCOVERY_UNAVAILABLE', 'the memory store is switched off', { executed })

class MemoryWatch {
  readonly backend: MemoryBackend
  readonly #hub: Hub
  readonly #range: KeyRange
  readonly #handlers: WatchHandlers
  #queue: (() => void)[] = []
  #isDraining = false
  #isOver = false

  constructor(hub: Hub, backend: MemoryBackend, range: KeyRange, handlers: WatchHandlers) {
    this.#hub = hub
    this.backend = backend
    this.#range = range
    this.#handlers = handlers
  }

  start(fromRevision: number): void {
    this.#hub.watches.add(this)
    const missed = this.#hub.store.since(fromRevision)
    if (this.backend.fault === 'refuse') this.end({ kind: 'disconnected' })
    else if (!missed) this.end({ kind: 'compacted' })
    else {
      this.#queue.push(() => this.#handlers.onStart())
      this.push(missed)
    }
  }

  push(commits: readonly Commit[]): void {
    for (const { events } of commits) {
      const mine = events.filter((event) =>
        inRange(this.#range, event.kind === 'put' ? event.entry.key : event.key),
      )
      if (mine.length > 0) this.#queue.push(() => this.#handlers.onEvents(mine))
    }
    this.#drain()
  }

  end(end: WatchEnd): void {
    if (!this.#hub.watches.delete(this)) return
    // What was on its way is lost with the link, so the watcher has to ask for it again.
    this.#queue = [() => this.#handlers.onEnd(end)]
    this.#drain()
  }

  stop(): void {
    this.#isOver = true
    this.#hub.watches.delete(this)
  }

  /** Handlers run one by one, each in a turn of its own, never inside the call that caused the change. */
  #drain(): void {
    if (this.#isDraining || this.#isOver || this.#queue.length === 0 || this.#isSilent()) return
    this.#isDraining = true
    void Promise.resolve().then(() => {
      this.#isDraining = false
      if (this.#isOver || this.#isSilent()) return
      this.#queue.shift()?.()
      this.#drain()
    })
  }

  #isSilent(): boolean {
    return this.#hub.watches.has(this) && this.backend.fault !== undefined
  }
}
