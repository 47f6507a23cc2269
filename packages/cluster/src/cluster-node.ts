import type { Directory, NodeRecord, PickOptions, Registration, Registry } from '@rts/discovery'
import {
  RpcNode,
  systemClock,
  type Clock,
  type EntityRef,
  type Listener,
  type Remote,
  type RpcNodeOptions,
} from '@rts/rpc'
import { ClusterError } from './errors.ts'
import { EntityTypes, wireNameOf, type EntityClass } from './entity-types.ts'
import { decodeLocation, rootKey, type Location, type Plain } from './location.ts'
import { Locations } from './locations.ts'
import { silent, type Logger } from './logger.ts'
import { outcomeOf, watchLinks } from './node-health.ts'
import type { NodeOptions } from './node-options.ts'
import { Roots, rpcId, type Root } from './roots.ts'
import { RootsService } from './roots-service.ts'

const SERVICE = 'cluster.roots'
const DEFAULT_STOP_TIMEOUT_MS = 3000
const MAX_PLACE_ATTEMPTS = 8

export interface PlaceOptions {
  /** The role of the nodes it may live on. */
  readonly role: string
  /** For `spawn`. */
  readonly args?: readonly Plain[]
  readonly pick?: PickOptions
}

/** One server process in the cluster. Made and started by `startNode`. */
export class ClusterNode {
  readonly id: string
  readonly role: string
  readonly rpc: RpcNode
  readonly registry: Registry
  readonly clock: Clock
  readonly logger: Logger
  readonly #options: NodeOptions
  readonly #types: EntityTypes
  readonly #roots: Roots
  readonly #locations: Locations
  readonly #listeners: Listener[] = []
  readonly #stopHooks: (() => void | Promise<void>)[] = []
  #registration: Registration | undefined
  #stopping: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    this.id = options.id
    this.role = options.role
    this.registry = options.registry
    this.clock = options.clock ?? systemClock
    this.logger = options.logger ?? silent
    this.#types = new EntityTypes(options.entities ?? [])
    this.#locations = new Locations(options.registry)
    this.rpc = new RpcNode(this.#rpcOptions())
    watchLinks(this.rpc, options.registry)
    this.#roots = new Roots({
      registry: options.registry,
      types: this.#types,
      location: () => this.location,
      now: () => this.clock.now(),
      logger: this.logger,
      spawn: options.spawn ?? ((type, _id, args) => new type(...(args as never[]))),
      serve: (key, entity) => this.rpc.serve(key, entity),
      onGone: options.onRootGone,
    })
  }

  /** Where other servers reach this node. */
  get location(): Location {
    return { node: this.id, url: this.#listeners[0]?.url ?? '' }
  }

  get state(): 'starting' | 'ready' | 'draining' | 'stopped' {
    if (this.#stopping !== undefined) return 'stopped'
    return this.#registration?.record.state ?? 'starting'
  }

  /** The roots that live here. */
  get roots(): Iterable<Root> {
    return this.#roots
  }

  /** The live view of the nodes of a role; the same object for every call. */
  directory(role: string): Directory {
    return this.registry.watch(role)
  }

  /**
   * Claims a root for this node and makes its entity; returns the one that is here already.
   *
   * @throws ClusterError `CLUSTER_OWNED_ELSEWHERE`, with the owner's `{ node, url }` in `data`.
   */
  async create<E extends object>(
    type: EntityClass<E>,
    id: string,
    ...args: readonly unknown[]
  ): Promise<Root<E>> {
    // The claim names this type, so the entity behind it is one of its instances.
    return (await this.#roots.create(type, id, args)) as Root<E>
  }

  /** The root when it lives on this node. */
  local<E extends object>(type: EntityClass<E>, id: string): Root<E> | undefined {
    return this.#roots.get(wireNameOf(type), id) as Root<E> | undefined
  }

  /** A remote for a root wherever it lives; the location is looked up at each call and cached. */
  find<C extends EntityClass>(type: C, id: string): Remote<C, 'server'> {
    return this.rpc.entity<C>(this.ref(type, id))
  }

  ref(type: EntityClass, id: string): EntityRef {
    return { type: wireNameOf(type), id: rpcId(wireNameOf(type), id) }
  }

  /**
   * Makes sure that a root lives on some node of a role, and says where. Many may place the same id at once, and a
   * call may be repeated: its claim lets one creation win.
   *
   * @throws ClusterError `CLUSTER_NO_NODE` when no node of the role takes it.
   */
  async place(type: EntityClass, id: string, options: PlaceOptions): Promise<Location> {
    const name = wireNameOf(type)
    const tried = new Set<string>()
    let cause: unknown
    for (let attempt = 0; attempt < MAX_PLACE_ATTEMPTS; attempt += 1) {
      const holder = await this.registry.holder(rootKey(name, id))
      const held = holder === undefined ? undefined : decodeLocation(holder.value)
      if (held !== undefined) return held
      const node = this.directory(options.role).pick({
        ...options.pick,
        where: (record) => !tried.has(record.epoch) && (options.pick?.where?.(record) ?? true),
      })
      const url = node === undefined ? undefined : this.#reach(node)
      if (node === undefined || url === undefined) break
      tried.add(node.epoch)
      try {
        const roots = this.rpc.at<typeof RootsService>(url, SERVICE)
        const location = await roots.create(name, id, options.args ?? [])
        node.done()
        return location
      } catch (error) {
        cause = error
        node.done(outcomeOf(error))
        this.logger.debug('place failed, trying another node', {
          type: name,
          id,
          node: node.id,
          error,
        })
      }
    }
    throw new ClusterError(
      'CLUSTER_NO_NODE',
      `no node of role "${options.role}" takes ${name} ${id}`,
      { cause },
    )
  }

  /** Runs when the node stops, before its roots are released; the last registered runs first. */
  onStop(hook: () => void | Promise<void>): () => void {
    this.#stopHooks.push(hook)
    return () => {
      const index = this.#stopHooks.indexOf(hook)
      if (index !== -1) this.#stopHooks.splice(index, 1)
    }
  }

  /** Called by `startNode`. */
  async start(): Promise<void> {
    const { options, record } = { options: this.#options, record: this.#record() }
    try {
      for (const [name, service] of Object.entries(options.services ?? {}))
        this.rpc.expose(name, service)
      this.rpc.expose(SERVICE, new RootsService(this.#types, this.#roots, () => this.location))
      await options.setup?.(this)
      for (const url of options.listen)
        this.#listeners.push(await this.rpc.listen(url, { trust: 'server' }))
      await this.registry.start()
      this.#registration = await this.registry.register({ ...record(), state: 'ready' })
    } catch (error) {
      await this.stop()
      throw error
    }
    this.logger.info('node is ready', { node: this.id, role: this.role, url: this.location.url })
  }

  /** Tells the cluster that nothing new may come here; what lives here goes on. */
  async drain(): Promise<void> {
    await this.#registration?.setState('draining')
  }

  /**
   * Leaves: out of the registry first, then the hooks, the roots, the links. Ends within `stopTimeoutMs` whatever hangs.
   * Safe to call twice; both calls settle together.
   */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    const limit = this.#options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS
    let cancel = (): void => {}
    const tooLate = new Promise<'late'>((resolve) => {
      cancel = this.clock.setTimer(limit, () => resolve('late'))
    })
    const end = await Promise.race([this.#leave(), tooLate])
    cancel()
    if (end === 'late')
      this.logger.warn('stop took too long and was cut short', { node: this.id, limitMs: limit })
    await Promise.race([this.rpc.close(), this.#turn()])
    await Promise.race([this.registry.stop(), this.#turn()])
  }

  async #leave(): Promise<void> {
    await this.#registration?.leave().catch((error: unknown) => {
      this.logger.warn('could not leave the registry', { node: this.id, error })
    })
    for (const hook of this.#stopHooks.reverse()) {
      try {
        await hook()
      } catch (error) {
        this.logger.warn('a stop hook failed', { node: this.id, error })
      }
    }
    await this.#roots.releaseAll()
    await Promise.allSettled(this.#listeners.map((listener) => listener.close()))
    await this.rpc.close()
    await this.registry.stop()
  }

  /** The address under which this node's transports reach another one. */
  #reach({ addresses }: NodeRecord): string | undefined {
    return this.#options.transports.map(({ scheme }) => addresses[scheme]).find(Boolean)
  }

  /** What is still closing gets a moment; nothing here may hang a stop. */
  #turn(): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(50, resolve))
  }

  #record() {
    const { id, role, zone, weight, version, meta, addresses } = this.#options
    return () => ({
      id,
      role,
      addresses: {
        ...Object.fromEntries(
          this.#listeners.map(({ url }) => [url.slice(0, url.indexOf(':')), url]),
        ),
        ...addresses?.(),
      },
      ...(zone === undefined ? {} : { zone }),
      ...(weight === undefined ? {} : { weight }),
      ...(version === undefined ? {} : { version }),
      ...(meta === undefined ? {} : { meta }),
    })
  }

  #rpcOptions(): RpcNodeOptions {
    const { id, role, transports, cluster, admin, trustLoopback, random, registry } = this.#options
    const { interceptors } = this.#options
    return {
      id,
      role,
      epoch: registry.epoch,
      transports,
      clock: this.clock,
      logger: this.logger,
      locate: (ref, wrong) => this.#locations.locate(ref, wrong),
      beat: registry.loadBeat(this.#options.load),
      beforeDispatch: ({ entityId }) => {
        if (entityId !== undefined) this.#roots.assertHeld(entityId)
      },
      ...(cluster === undefined ? {} : { cluster }),
      ...(admin === undefined ? {} : { admin }),
      ...(interceptors === undefined ? {} : { interceptors }),
      ...(trustLoopback === undefined ? {} : { trustLoopback }),
      ...(random === undefined ? {} : { random }),
    }
  }
}
