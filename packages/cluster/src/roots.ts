import type { Claim, Registry } from '@rts/discovery'
import { ClusterError } from './errors.ts'
import { wireNameOf, type EntityClass, type EntityTypes } from './entity-types.ts'
import { decodeLocation, encodeLocation, rootKey, type Location } from './location.ts'
import type { Logger } from './logger.ts'

/** A root that lives on this node: an entity with a location of its own. */
export interface Root<E extends object = object> {
  readonly type: string
  readonly id: string
  readonly entity: E
  /** Grows with each owner of this root; pass it to every save. */
  readonly fence: number
  /** Monotonic ms: while the node's clock is below it, this node is surely the only owner. 0 when it is over. */
  readonly heldUntil: number
  /** Aborts when this node may no longer act for the root: it was lost, released, or the node stops. */
  readonly signal: AbortSignal
  /** Gives the root up; the next owner may claim it. Safe to call twice. */
  release(): Promise<void>
}

/** How a node makes an entity of a claimed root. */
export type Spawn = (
  type: EntityClass,
  id: string,
  args: readonly unknown[],
  root: Omit<Root, 'entity'>,
) => object | Promise<object>

export interface RootsOptions {
  readonly registry: Registry
  readonly types: EntityTypes
  readonly location: () => Location
  readonly now: () => number
  readonly logger: Logger
  readonly spawn: Spawn
  /** Makes the entity reachable by its RPC id; returns the undo. */
  readonly serve: (rpcId: string, entity: object) => () => void
  /** Runs after a root has gone, whatever the reason. */
  readonly onGone?: ((root: Root) => void | Promise<void>) | undefined
}

export const rpcId = (type: string, id: string): string => `${type}/${id}`

/** The roots of one node: claims them, makes their entities, lets them go. */
export class Roots {
  readonly #options: RootsOptions
  readonly #roots = new Map<string, LocalRoot>()
  /** Creations under way, so that two calls for one id on this node share one claim. */
  readonly #creating = new Map<string, Promise<Root>>()
  #stopped = false

  constructor(options: RootsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#roots.size
  }

  get(type: string, id: string): Root | undefined {
    return this.#roots.get(rpcId(type, id))
  }

  [Symbol.iterator](): IterableIterator<Root> {
    return this.#roots.values()
  }

  /**
   * Claims the root and makes its entity; when this node has it already, returns that one.
   *
   * @throws ClusterError `CLUSTER_OWNED_ELSEWHERE`, with the owner's location in `data`.
   */
  create(type: EntityClass, id: string, args: readonly unknown[]): Promise<Root> {
    const key = rpcId(wireNameOf(type), id)
    const known = this.#roots.get(key)
    if (known !== undefined) return Promise.resolve(known)
    let creating = this.#creating.get(key)
    if (creating === undefined) {
      creating = this.#create(type, id, args).finally(() => this.#creating.delete(key))
      this.#creating.set(key, creating)
    }
    return creating
  }

  /**
   * Refuses a call for a root that this node may not act for.
   *
   * @throws ClusterError `CLUSTER_NOT_OWNER`: nothing was done.
   */
  assertHeld(key: string): void {
    const root = this.#roots.get(key)
    if (root !== undefined && this.#options.now() >= root.heldUntil) {
      throw new ClusterError('CLUSTER_NOT_OWNER', `the lease behind ${key} is not surely held`)
    }
  }

  /** Lets every root go, in the order they came. */
  async releaseAll(): Promise<void> {
    this.#stopped = true
    await Promise.allSettled(this.#creating.values())
    await Promise.allSettled([...this.#roots.values()].map((root) => root.release()))
  }

  async #create(type: EntityClass, id: string, args: readonly unknown[]): Promise<Root> {
    const { registry, location, logger } = this.#options
    const name = wireNameOf(type)
    if (this.#stopped) throw new ClusterError('CLUSTER_STOPPED', 'this node is stopping')
    const outcome = await registry.claim(rootKey(name, id), encodeLocation(location()))
    if (!outcome.claimed) {
      const owner = decodeLocation(outcome.holder.value)
      throw new ClusterError('CLUSTER_OWNED_ELSEWHERE', `${name} ${id} lives on ${owner?.node}`, {
        data: { ...owner },
      })
    }
    const { claim } = outcome
    const root = new LocalRoot(name, id, claim, () => this.#drop(root))
    try {
      root.entity = await this.#options.spawn(type, id, args, root)
      claim.signal.throwIfAborted()
      if (this.#stopped) throw new ClusterError('CLUSTER_STOPPED', 'this node is stopping')
    } catch (error) {
      await claim.release().catch(() => {})
      throw error
    }
    this.#roots.set(root.key, root)
    root.withdraw = this.#options.serve(root.key, root.entity)
    root.watchClaim()
    logger.debug('root created', { type: name, id, fence: root.fence })
    return root
  }

  async #drop(root: LocalRoot): Promise<void> {
    if (this.#roots.get(root.key) === root) this.#roots.delete(root.key)
    root.withdraw()
    try {
      await this.#options.onGone?.(root)
    } catch (error) {
      this.#options.logger.warn('onRootGone failed', { type: root.type, id: root.id, error })
    }
  }
}

/** One claimed root; ends once, by its release or by the loss of its claim. */
class LocalRoot implements Root {
  readonly type: string
  readonly id: string
  entity: object = {}
  withdraw: () => void = () => {}
  readonly #claim: Claim
  readonly #drop: () => Promise<void>
  readonly #end = new AbortController()
  #ending: Promise<void> | undefined

  constructor(type: string, id: string, claim: Claim, drop: () => Promise<void>) {
    this.type = type
    this.id = id
    this.#claim = claim
    this.#drop = drop
  }

  get key(): string {
    return rpcId(this.type, this.id)
  }

  get fence(): number {
    return this.#claim.fence
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  get heldUntil(): number {
    return this.#end.signal.aborted ? 0 : this.#claim.heldUntil
  }

  watchClaim(): void {
    const { signal } = this.#claim
    if (signal.aborted) void this.#finish(signal.reason)
    else signal.addEventListener('abort', () => void this.#finish(signal.reason), { once: true })
  }

  /** Unreachable first, then saved by `onGone`, and only then free for the next owner. */
  release(): Promise<void> {
    return this.#finish(new ClusterError('CLUSTER_NOT_OWNER', `${this.key} was released`)).then(
      () => this.#claim.release().catch(() => {}),
    )
  }

  #finish(reason: unknown): Promise<void> {
    return (this.#ending ??= (async () => {
      this.#end.abort(reason)
      await this.#drop()
    })())
  }
}
