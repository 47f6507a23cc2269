import { Backoff } from './backoff.ts'
import type { Backend, KeyValue, LeaseId } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { DiscoveryError } from './errors.ts'
import type { LeaseSession } from './lease-session.ts'
import type { Load } from './load.ts'
import { LoadReporter, type LoadVia } from './load-reporter.ts'
import { LiveView } from './live-view.ts'
import type { Logger } from './logger.ts'
import {
  decodeRecord,
  encodeRecord,
  type NodeMeta,
  type NodeRecord,
  type NodeState,
} from './node-record.ts'
import { orderedChange } from './outside-state.ts'
import { unitFrom, type Random } from './random.ts'
import { Rival } from './rival.ts'
import type { Sweeper } from './sweeper.ts'

/** A node's own entry in the registry, kept there for as long as the process wants it. */
export interface Registration {
  /** What this node wants the others to see. */
  readonly record: NodeRecord
  /** The backend is known to hold exactly that, under the lease that is held now. */
  readonly isRegistered: boolean
  /**
   * `draining` takes the node out of every pick. Resolves when the backend has it; with
   * `DISCOVERY_UNAVAILABLE` the change is kept and written once the backend answers.
   */
  setState(state: NodeState): Promise<void>
  /** Replaces the metadata, as `setState` does the state. */
  update(meta: NodeMeta): Promise<void>
  /**
   * Says how the node is doing; say it about once a second. What the store hears of it `loadVia` decides.
   *
   * @throws RangeError when a field is wrong.
   */
  reportLoad(load: Load): void
  /** Takes the node out. Safe to call twice; both calls settle together. */
  leave(): Promise<void>
}

export interface NodeRegistrationOptions {
  readonly backend: Backend
  readonly session: LeaseSession
  readonly sweeper: Sweeper
  readonly key: string
  readonly record: NodeRecord
  readonly callTimeoutMs: number
  readonly auditIntervalMs: number
  readonly fleet: () => number
  readonly loadVia: LoadVia
  readonly loadIntervalMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly onRegistered: (record: NodeRecord) => void
  readonly onDuplicate: (error: DiscoveryError, record: NodeRecord) => void
  /** It is leaving; settles when what can be done about that has been done. */
  readonly onLeaving: (left: Promise<void>) => void
  /** Another entry of this process under the same key is on its way out: the writes of this one come after it. */
  readonly after: Promise<unknown> | undefined
}

/** Somebody who waits until the backend has a certain version of the record. */
interface Waiter {
  readonly version: number
  readonly done: () => void
  readonly fail: (error: DiscoveryError) => void
}

/** How often an id that another process holds is looked at, besides being watched: at first, and once reported. */
const RIVAL_POLL_MS = 500
const REPORTED_POLL_MS = 5000
/** From so many nodes on they do not put back a deleted key at once, but over so long for each. */
const LARGE_FLEET = 50
const REPAIR_MS_PER_NODE = 20

/**
 * Makes the backend agree with the wanted record, again and again: after a lost lease, a deleted key, an
 * overwrite. Each write compares the revision it knows, so it can never undo another process's entry.
 */
export class NodeRegistration implements Registration {
  readonly #options: NodeRegistrationOptions
  readonly #backoff: Backoff
  readonly #guard: LiveView
  readonly #loads: LoadReporter
  readonly #waiters = new Set<Waiter>()
  #record: NodeRecord
  #json: string
  #version = 1
  #written: { readonly version: number; readonly lease: LeaseId } | undefined
  /** The revision at which the backend is believed to hold our entry; 0 for none. */
  #modRevision = 0
  #rival: Rival | undefined
  #reported: string | undefined
  /** The last order that came from outside. */
  #obeyed: string | undefined
  #isDirty = true
  #isRunning: Promise<void> | undefined
  #isOver = false
  #wake: () => void = () => {}
  #cancelKick: () => void = () => {}
  #leaving: Promise<void> | undefined
  #onAnswer: () => void = () => {}
  #onFailed: (error: DiscoveryError) => void = () => {}

  constructor(options: NodeRegistrationOptions) {
    this.#options = options
    const { backend, clock, random, logger, key, callTimeoutMs, auditIntervalMs, fleet } = options
    this.#record = options.record
    this.#json = encodeRecord(options.record)
    this.#backoff = new Backoff({ baseMs: 50, maxMs: 900, random })
    this.#loads = new LoadReporter({
      via: options.loadVia,
      intervalMs: options.loadIntervalMs,
      clock,
      random,
      write: (load) => this.#change({ ...this.#record, load }),
    })
    this.#guard = new LiveView({
      backend,
      range: { key },
      callTimeoutMs,
      auditIntervalMs,
      fleet,
      clock,
      random,
      logger,
      onChange: (_before, after) => this.#onStored(after),
      onFresh: () => {},
      onInterrupted: () => {},
      onListed: () => {},
    })
  }

  get record(): NodeRecord {
    return this.#record
  }

  get key(): string {
    return this.#options.key
  }

  get isRegistered(): boolean {
    const lease = this.#options.session.held
    return (
      !this.#isOver &&
      lease !== undefined &&
      this.#written?.version === this.#version &&
      this.#written.lease === lease
    )
  }

  /**
   * Settles when the record stands for the first time. It waits for as long as the backend answers: the
   * entry of a process that died under this id ends with its lease.
   */
  async enter(signal?: AbortSignal): Promise<void> {
    const { clock, callTimeoutMs, key } = this.#options
    let cancelSilence: () => void = () => {}
    let onAbort: () => void = () => {}
    const failed = new Promise<never>((_, reject) => {
      this.#onFailed = reject
      this.#onAnswer = () => {
        cancelSilence()
        cancelSilence = clock.setTimer(callTimeoutMs, () => {
          const message = `no answer for ${callTimeoutMs} ms while writing ${key}`
          reject(new DiscoveryError('DISCOVERY_UNAVAILABLE', message, { executed: 'maybe' }))
        })
      }
      onAbort = () => reject(signal?.reason)
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
    this.#onAnswer()
    const entered = this.#whenWritten(this.#version)
    this.kick()
    try {
      await Promise.race([entered, failed])
    } catch (error) {
      // Nobody waits for this: what was perhaps written is swept in the background.
      void this.leave().catch(() => {})
      throw error
    } finally {
      cancelSilence()
      signal?.removeEventListener('abort', onAbort)
      this.#onAnswer = () => {}
      this.#onFailed = () => {}
    }
  }

  setState(state: NodeState): Promise<void> {
    return this.#change({ ...this.#record, state })
  }

  update(meta: NodeMeta): Promise<void> {
    return this.#change({ ...this.#record, meta })
  }

  reportLoad(load: Load): void {
    this.#loads.report(load)
  }

  /** How often the store was told a load. */
  get loadWrites(): number {
    return this.#loads.writes
  }

  leave(): Promise<void> {
    if (this.#leaving === undefined) {
      this.#leaving = this.#leave()
      this.#options.onLeaving(this.#leaving)
    }
    return this.#leaving
  }

  /** Looks whether the backend still agrees: after the lease came (back), or in doubt. */
  kick(): void {
    this.#isDirty = true
    this.#cancelKick()
    this.#wake()
    if (!this.#isRunning && !this.#isOver) {
      this.#isRunning = this.#run().finally(() => {
        this.#isRunning = undefined
        // Kicked between the last look and now.
        if (this.#isDirty && this.#options.session.held !== undefined) this.kick()
      })
    }
  }

  async #change(record: NodeRecord): Promise<void> {
    if (this.#isOver) throw new DiscoveryError('DISCOVERY_STOPPED', `${record.id} has left`)
    this.#json = encodeRecord(record)
    this.#record = record
    const written = this.#whenWritten(++this.#version)
    this.kick()
    const { clock, callTimeoutMs } = this.#options
    await withDeadline(written, {
      clock,
      timeoutMs: callTimeoutMs,
      onTimeout: () =>
        new DiscoveryError(
          'DISCOVERY_UNAVAILABLE',
          `${record.id} is not written yet; it will be once the backend answers`,
          { executed: 'maybe' },
        ),
    })
  }

  #whenWritten(version: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ version, done: resolve, fail: reject })
    })
  }

  async #leave(): Promise<void> {
    const { sweeper, key } = this.#options
    this.#isOver = true
    this.#loads.stop()
    this.#guard.close()
    this.#cancelKick()
    this.#wake()
    sweeper.add(key)
    const left = new DiscoveryError('DISCOVERY_STOPPED', `${this.#record.id} has left`)
    for (const waiter of this.#waiters) waiter.fail(left)
    this.#waiters.clear()
    // A write that is on its way must be over before the delete, or it could come after it.
    await this.#isRunning
    // The key may have been swept before that write stood.
    sweeper.add(key)
    await sweeper.sweep(key)
  }

  async #run(): Promise<void> {
    await this.#options.after
    while (this.#isDirty && !this.#isOver) {
      const lease = this.#options.session.held
      if (lease === undefined) return
      this.#isDirty = false
      try {
        await this.#reconcile(lease)
        this.#backoff.reset()
      } catch (error) {
        this.#isDirty = true
        if (error instanceof DiscoveryError) {
          if (error.code === 'DISCOVERY_LEASE_LOST') {
            this.#options.session.reportGone(lease)
            continue
          }
          if (error.code === 'DISCOVERY_DENIED') this.#onFailed(error)
        }
        this.#options.logger.debug('registration not written yet', { key: this.key, error })
        await this.#pause(this.#backoff.nextMs())
      }
    }
  }

  async #reconcile(lease: LeaseId): Promise<void> {
    const { backend, sweeper, key, callTimeoutMs } = this.#options
    // What an earlier entry of this process may have left is gone first, or this one would be swept.
    if (sweeper.has(key)) await sweeper.sweep(key)
    const version = this.#version
    // It went with the lease before this one. Should it be there all the same, the comparison says so.
    if (this.#written && this.#written.lease !== lease) this.#modRevision = 0
    const isThere = this.#written?.version === version && this.#written.lease === lease
    // One lost answer may not use up the time that `enter` and `setState` wait.
    const timeoutMs = callTimeoutMs / 2
    const result = await backend.transact(
      {
        when: [{ key, modRevision: this.#modRevision }],
        then: isThere ? [] : [{ kind: 'put', key, value: this.#json, lease }],
        otherwiseRead: [key],
      },
      { timeoutMs },
    )
    this.#onAnswer()
    if (!result.succeeded) return this.#inspect(result.entries[0], lease)
    if (!isThere) this.#modRevision = result.revision
    this.#confirm(version, lease)
  }

  /** Something else stands there than what we last knew. */
  async #inspect(current: KeyValue | undefined, lease: LeaseId): Promise<void> {
    const { key, logger } = this.#options
    const epoch = current && decodeRecord(current.value)?.epoch
    const isForeign = current !== undefined && epoch !== this.#record.epoch
    // A foreign entry without a lease was written by hand: no process stands behind it.
    if (isForeign && current.lease !== '0' && current.lease !== lease)
      return this.#challenge(current)
    this.#rival = undefined
    this.#modRevision = current?.modRevision ?? 0
    if (current?.value === this.#json && current.lease === lease) {
      this.#confirm(this.#version, lease)
      return
    }
    const ordered = orderedChange(current, this.#record, this.#obeyed)
    if (ordered) {
      this.#obeyed = ordered.order
      this.#json = encodeRecord(ordered)
      this.#record = ordered
      this.#version += 1
      logger.info('the state was changed from outside', { key, state: ordered.state })
    } else if (this.#written)
      logger.warn('own entry was changed or deleted, putting it back', { key })
    this.#written = undefined
    this.#isDirty = true
  }

  /** Another process has the id: wait for its end, or say that it lives. */
  async #challenge(current: KeyValue): Promise<void> {
    const { backend, clock, callTimeoutMs, onDuplicate, logger, key } = this.#options
    this.#written = undefined
    this.#isDirty = true
    if (this.#rival?.lease !== current.lease) {
      this.#rival = new Rival(current.lease)
      logger.info('the id is taken, watching whether its holder lives', { key })
    }
    const rival = this.#rival
    const sentAt = clock.now()
    const status = await backend.leaseStatus(current.lease, { timeoutMs: callTimeoutMs })
    this.#onAnswer()
    rival.observe(status.ttlSeconds, sentAt, clock.now())
    if (rival.isAlive && this.#reported !== current.lease) {
      this.#reported = current.lease
      const message =
        `another living process is registered as ${this.#record.role}/${this.#record.id}: ` +
        `${current.value}. Two processes must not share an id.`
      const error = new DiscoveryError('DISCOVERY_DUPLICATE_ID', message)
      this.#onFailed(error)
      onDuplicate(error, this.#record)
    }
    await this.#pause(this.#reported === undefined ? RIVAL_POLL_MS : REPORTED_POLL_MS)
  }

  #confirm(version: number, lease: LeaseId): void {
    const isNew = this.#written?.lease !== lease || this.#written.version !== version
    this.#written = { version, lease }
    this.#rival = undefined
    this.#reported = undefined
    for (const waiter of this.#waiters) {
      if (waiter.version > version) continue
      this.#waiters.delete(waiter)
      waiter.done()
    }
    if (isNew && !this.#isOver) this.#options.onRegistered(this.#record)
  }

  /** The watch on our own key. */
  #onStored(after: KeyValue | undefined): void {
    if (after?.modRevision === this.#modRevision) return
    // Our own write, heard of before its answer came.
    if (after?.value === this.#json && after.lease === this.#options.session.held) return
    const { clock, random, fleet } = this.#options
    const size = fleet()
    if (after || size <= LARGE_FLEET) return this.kick()
    // Perhaps all leases ended together: most of the fleet learns that with its next keepalive.
    this.#cancelKick()
    const delayMs = unitFrom(random) * size * REPAIR_MS_PER_NODE
    this.#cancelKick = inBackground(clock).setTimer(delayMs, () => this.kick())
  }

  /** Waits until it is time or there is news. */
  #pause(delayMs: number): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        cancel()
        this.#wake = () => {}
        resolve()
      }
      const cancel = inBackground(this.#options.clock).setTimer(delayMs, end)
      this.#wake = end
    })
  }
}
