import type { Backend, LeaseId } from './backend.ts'
import type { ClaimHolder, ClaimOffer, ClaimOutcome, Lock } from './claim.ts'
import { checkName as checkKey, Claims } from './claims.ts'
import { systemClock, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { publish } from './diagnostics.ts'
import { LiveDirectory, type Directory } from './directory.ts'
import { LiveElection, type Election } from './election.ts'
import { Emitter } from './emitter.ts'
import { DiscoveryError } from './errors.ts'
import { LeaseAudit } from './lease-audit.ts'
import { LeaseSession, type Lease, type LeaseLoss, type LeaseState } from './lease-session.ts'
import type { LineKind } from './keys.ts'
import { silentLogger, type Logger } from './logger.ts'
import {
  checkName,
  makeRecord,
  type NodeInit,
  type NodeRecord,
  type NodeState,
} from './node-record.ts'
import {
  checkNumber,
  type ClaimOptions,
  type LockOptions,
  type RegistryOptions,
  type WaitOptions,
} from './options.ts'
import type { Load } from './load.ts'
import { makeLoadBeat, type LoadBeat, type LoadSource } from './load-link.ts'
import { orderState } from './outside-state.ts'
import type { LoadOf } from './pick.ts'
import { checkPicking, type Picking } from './picking.ts'
import { systemRandom, type Random } from './random.ts'
import type { Registration } from './registration.ts'
import { Registrations } from './registrations.ts'
import type { RegistryEvents } from './registry-events.ts'
import type { RegistryStats } from './registry-stats.ts'
import { Sweeper } from './sweeper.ts'
import { WaitingLines } from './waiting-lines.ts'

/**
 * This process among the others: its lease, its entries, what it sees of the rest, and what it claims.
 * `register`, `claim` and `start` begin the lease; a process that only watches has none.
 */
export class Registry {
  readonly cluster: string
  /** Names this start of the process. */
  readonly epoch: string
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  readonly #loadOf: LoadOf | undefined
  readonly #picking: Picking
  readonly #connectTimeoutMs: number
  readonly #callTimeoutMs: number
  readonly #stopTimeoutMs: number
  readonly #removalGraceMs: number
  readonly #auditIntervalMs: number
  readonly #fleetSize: number
  readonly #session: LeaseSession
  readonly #sweeper: Sweeper
  readonly #claims: Claims
  readonly #lines: WaitingLines
  readonly #audit: LeaseAudit
  readonly #emitter: Emitter<RegistryEvents>
  readonly #directories = new Map<string, LiveDirectory>()
  readonly #elections = new Map<string, LiveElection>()
  readonly #registrations: Registrations
  #isOpen = false
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  /** How many nodes were seen at the last two keepalives. */
  #seen: readonly [number, number] = [0, 0]
  #leaseLosses = 0

  constructor(backend: Backend, options: RegistryOptions = {}) {
    const ttlSeconds = checkNumber('ttlSeconds', options.ttlSeconds ?? 10, 1, true)
    const fenceMarginMs = options.fenceMarginMs ?? Math.min(1000, ttlSeconds * 100)
    if (!(fenceMarginMs >= 0 && fenceMarginMs < ttlSeconds * 1000)) {
      throw new RangeError(
        `fenceMarginMs must be from 0 and below the ${ttlSeconds} s of the lease, got ${fenceMarginMs}`,
      )
    }
    const { clock = systemClock, random = systemRandom, logger = silentLogger } = options
    this.cluster = options.cluster ?? 'default'
    checkName('cluster', this.cluster)
    this.#connectTimeoutMs = checkNumber('connectTimeoutMs', options.connectTimeoutMs ?? 3000, 1)
    this.#callTimeoutMs = checkNumber('callTimeoutMs', options.callTimeoutMs ?? 3000, 1)
    this.#stopTimeoutMs = checkNumber('stopTimeoutMs', options.stopTimeoutMs ?? 2000, 0)
    this.#removalGraceMs = checkNumber(
      'removalGraceMs',
      options.removalGraceMs ?? ttlSeconds * 1000,
      0,
    )
    this.#auditIntervalMs = checkNumber('auditIntervalMs', options.auditIntervalMs ?? 300_000, 1000)
    this.#fleetSize = checkNumber('fleetSize', options.fleetSize ?? 0, 0, true)
    this.#backend = backend
    this.#clock = clock
    this.#random = random
    this.#logger = logger
    this.#loadOf = options.loadOf
    this.#picking = checkPicking(options.picking)
    this.epoch =
      options.epoch ?? `${clock.wall().toString(36)}-${Buffer.from(random(4)).toString('hex')}`
    this.#emitter = new Emitter((event, error) =>
      logger.error('a registry listener threw', { event, error }),
    )
    const callTimeoutMs = this.#callTimeoutMs
    const shared = { backend, clock, random, logger, callTimeoutMs }
    const session = new LeaseSession({
      ...shared,
      ttlSeconds,
      fenceMarginMs,
      fleet: () => this.#fleet(),
      missing: () => this.#missing(),
      onLive: (lease, renewed, before) => this.#onLive(lease, renewed, before),
      onSuspect: (leaseId) => {
        this.#publishLease(leaseId, 'suspect')
        this.#emitter.emit('lease-suspect', { leaseId })
      },
      onLost: (lease, reason) => this.#onLost(lease, reason),
      onGone: () => this.#sweeper.clear(),
      onAcknowledged: (lease) => {
        this.#seen = [this.#seen[1], this.#nodesSeen()]
        this.#audit.look(lease)
      },
    })
    this.#session = session
    this.#sweeper = new Sweeper({ ...shared, session })
    this.#claims = new Claims({ ...shared, session, sweeper: this.#sweeper, cluster: this.cluster })
    this.#lines = new WaitingLines({
      ...shared,
      session,
      sweeper: this.#sweeper,
      claims: this.#claims,
      cluster: this.cluster,
      epoch: this.epoch,
      auditIntervalMs: this.#auditIntervalMs,
    })
    this.#registrations = new Registrations({
      ...shared,
      session,
      sweeper: this.#sweeper,
      cluster: this.cluster,
      auditIntervalMs: this.#auditIntervalMs,
      fleet: () => this.#fleet(),
      loadVia: options.loadVia ?? 'links',
      loadIntervalMs: checkNumber('loadIntervalMs', options.loadIntervalMs ?? 5000, 1000),
      onRegistered: (record) => this.#emitter.emit('registered', record),
      onDuplicate: (error, record) => this.#emitter.emit('duplicate-id', error, record),
    })
    this.#audit = new LeaseAudit({
      ...shared,
      intervalMs: ttlSeconds * 1000,
      sweeper: this.#sweeper,
      claims: this.#claims,
      registrations: this.#registrations,
    })
  }

  get lease(): Lease {
    return this.#session
  }

  /**
   * Gets the first lease; `DISCOVERY_UNAVAILABLE` when the backend does not give one in time, and nothing is
   * left running then. Calls after the first join it.
   */
  start(options: WaitOptions = {}): Promise<void> {
    this.#checkRunning()
    this.#open()
    this.#starting ??= this.#session
      .start(this.#connectTimeoutMs, options.signal)
      .catch(async (error: unknown) => {
        this.#starting = undefined
        if (this.#directories.size + this.#elections.size === 0) await this.#close()
        throw error
      })
    return this.#starting
  }

  /**
   * Enters a node and keeps it there until it leaves: through lost leases, deleted keys and outages. Waits for
   * the entry of a process that died under the same id to end; `DISCOVERY_DUPLICATE_ID` when it lives.
   */
  async register(node: NodeInit, options: WaitOptions = {}): Promise<Registration> {
    const record = makeRecord(node, this.epoch)
    await this.start(options)
    this.#checkRunning()
    return this.#registrations.enter(record, options.signal)
  }

  /** The live view of a role; the same object for the same role. It needs no lease and no `start`. */
  watch(role: string): Directory {
    this.#checkRunning()
    checkName('role', role)
    let directory = this.#directories.get(role)
    if (!directory) {
      this.#open()
      directory = new LiveDirectory({
        backend: this.#backend,
        cluster: this.cluster,
        role,
        callTimeoutMs: this.#callTimeoutMs,
        auditIntervalMs: this.#auditIntervalMs,
        fleet: () => this.#fleet(),
        removalGraceMs: this.#removalGraceMs,
        loadOf: this.#loadOf,
        picking: this.#picking,
        clock: this.#clock,
        random: this.#random,
        logger: this.#logger,
      })
      this.#directories.set(role, directory)
    }
    return directory
  }

  /**
   * Asks a node, of whatever process, to drain or to be ready again. Watchers see it at once; the node obeys as soon as it
   * hears of it. A restart of the node forgets it.
   *
   * @returns Its record; `undefined` when there is no such node.
   */
  async order(
    role: string,
    id: string,
    state: Exclude<NodeState, 'starting'>,
  ): Promise<NodeRecord | undefined> {
    this.#checkRunning()
    this.#open()
    return orderState(this.#backend, { cluster: this.cluster, role, id, state }, this.#random)
  }

  /**
   * What links between nodes carry: give it to each `RpcNode` as its `beat`. It reports to the registrations as well.
   * Without a source it only listens.
   */
  loadBeat(source?: LoadSource): LoadBeat {
    return makeLoadBeat({
      source,
      onRead: (load) => {
        for (const registration of this.#registrations.all()) registration.reportLoad(load)
      },
      onTold: (role, id, load: Load) => this.#directories.get(role)?.tell(id, load),
    })
  }

  /** The link to a node broke: directories that are watched do not pick it for now. */
  lose(role: string, id: string): void {
    this.#directories.get(role)?.lose(id)
  }

  /** A link to a node stands: nothing is held against it. */
  restore(role: string, id: string): void {
    this.#directories.get(role)?.restore(id)
  }

  /**
   * Takes a key that nobody holds, for as long as this node's lease is held. One of several that try at once
   * gets it; the others learn who.
   */
  async claim(key: string, value: string, options: ClaimOptions = {}): Promise<ClaimOutcome> {
    await this.#mayClaim(options)
    return this.#claims.claim(key, value, options.timeoutMs ?? this.#callTimeoutMs, options.signal)
  }

  /**
   * Takes a claim that its holder offers: under this node's lease, with a larger fence. `claimed: false` when
   * the offer was withdrawn or accepted by another, `DISCOVERY_CLAIM_LOST` when nobody has the key any more.
   */
  async accept(
    offer: ClaimOffer,
    value: string,
    options: ClaimOptions = {},
  ): Promise<ClaimOutcome> {
    await this.#mayClaim(options)
    const timeoutMs = options.timeoutMs ?? this.#callTimeoutMs
    return this.#claims.accept(offer, value, timeoutMs, options.signal)
  }

  /**
   * Waits in a fair line for a lock. A place is kept through outages for as long as the lease lives, and taken
   * anew at the end when it was lost. It is not reentrant: two calls are two places.
   */
  lock(name: string, options: LockOptions = {}): Promise<Lock> {
    const { value = this.epoch, timeoutMs = 10_000 } = options
    return this.#enter('locks', name, value, timeoutMs, options)
  }

  /** An office for one node at a time; the same object for the same name. */
  elect(name: string): Election {
    this.#checkRunning()
    this.#checkShared()
    checkKey(name)
    let election = this.#elections.get(name)
    if (!election) {
      this.#open()
      election = new LiveElection({
        backend: this.#backend,
        cluster: this.cluster,
        name,
        enter: (value, options) =>
          this.#enter('elections', name, value, options.timeoutMs ?? Infinity, options),
        callTimeoutMs: this.#callTimeoutMs,
        auditIntervalMs: this.#auditIntervalMs,
        clock: this.#clock,
        random: this.#random,
        logger: this.#logger,
      })
      this.#elections.set(name, election)
    }
    return election
  }

  /** Who holds a key now. */
  async holder(key: string, options: ClaimOptions = {}): Promise<ClaimHolder | undefined> {
    this.#checkRunning()
    this.#open()
    return this.#claims.holder(key, options.timeoutMs ?? this.#callTimeoutMs, options.signal)
  }

  /** Returns the undo. */
  on<E extends keyof RegistryEvents>(event: E, listener: RegistryEvents[E]): () => void {
    return this.#emitter.on(event, listener)
  }

  stats(): RegistryStats {
    const directories = [...this.#directories.values()]
    return {
      leaseLosses: this.#leaseLosses,
      registrations: this.#registrations.written,
      claims: this.#claims.size,
      waiting: this.#lines.waiting,
      lists: directories.reduce((sum, directory) => sum + directory.lists, 0),
      loadWrites: this.#registrations.loadWrites,
      picks: Object.fromEntries(directories.map((each) => [each.role, each.stats()])),
      malformedRecords: directories.reduce((sum, directory) => sum + directory.malformed, 0),
    }
  }

  /**
   * Takes the nodes out first, then ends the lease and with it every claim. Bounded by `stopTimeoutMs` even
   * when the backend is away: the lease then ends by itself. Never rejects; calls settle together.
   */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    const leaving = this.#registrations.all().map((registration) => registration.leave())
    await withDeadline(Promise.allSettled(leaving), {
      clock: this.#clock,
      timeoutMs: this.#stopTimeoutMs / 2,
      onTimeout: () => new DiscoveryError('DISCOVERY_UNAVAILABLE', 'no answer to the goodbye'),
    }).catch((error: unknown) => this.#logger.warn('nodes not taken out', { error }))
    const stopped = new DiscoveryError('DISCOVERY_STOPPED', 'the registry was stopped')
    this.#lines.stop(stopped)
    this.#claims.loseAll(stopped)
    this.#sweeper.stop()
    await this.#session.stop(this.#stopTimeoutMs / 2)
    for (const directory of this.#directories.values()) directory.close()
    for (const election of this.#elections.values()) election.close()
    await this.#close()
  }

  #onLive(leaseId: LeaseId, renewed: boolean, before: LeaseState): void {
    if (before !== 'suspect') {
      this.#sweeper.wake()
      for (const registration of this.#registrations.all()) registration.kick()
      this.#lines.wake()
    }
    this.#publishLease(leaseId, 'live')
    this.#emitter.emit('lease-live', { leaseId, renewed })
  }

  #onLost(leaseId: LeaseId, reason: LeaseLoss): void {
    this.#leaseLosses++
    const message =
      reason === 'gone'
        ? 'the backend ended the lease of this node'
        : 'the lease of this node is no longer surely held: its keepalives were not answered in time'
    this.#claims.loseAll(new DiscoveryError('DISCOVERY_LEASE_LOST', message))
    this.#publishLease(leaseId, 'lost')
    this.#emitter.emit('lease-lost', { leaseId, reason })
  }

  #nodesSeen(): number {
    let count = 0
    for (const directory of this.#directories.values()) count += directory.nodes.length
    return count
  }

  #fleet(): number {
    return Math.max(this.#fleetSize, this.#nodesSeen())
  }

  #missing(): number {
    return Math.max(this.#fleetSize, ...this.#seen) - this.#nodesSeen()
  }

  async #mayClaim(options: WaitOptions): Promise<void> {
    this.#checkShared()
    await this.start(options)
    this.#checkRunning()
  }

  async #enter(
    kind: LineKind,
    name: string,
    value: string,
    timeoutMs: number,
    options: WaitOptions,
  ): Promise<Lock> {
    await this.#mayClaim(options)
    return this.#lines.enter(kind, name, value, timeoutMs, options.signal)
  }

  #checkShared(): void {
    if (this.#backend.isShared) return
    const message = `a ${this.#backend.name} backend is not shared with other processes`
    throw new DiscoveryError('DISCOVERY_UNSUPPORTED', `${message}: nothing can be claimed in it`)
  }

  #publishLease(leaseId: LeaseId, change: 'live' | 'suspect' | 'lost'): void {
    publish('rts:discovery:lease', () => ({ cluster: this.cluster, leaseId, change }))
  }

  #checkRunning(): void {
    if (this.#stopping) throw new DiscoveryError('DISCOVERY_STOPPED', 'the registry was stopped')
  }

  #open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#backend.open()
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#backend.close()
  }
}
