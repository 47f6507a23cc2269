import type { ClusterNode, Root } from '@rts/cluster'
import { World, type EntityData } from '@rts/ecs'
import { Saver, type EntityStore, type Tracked } from '@rts/store'
import type { Clock, Random } from '@rts/rpc'
import type { Logger } from '../arena-node.ts'
import type { Vitals } from '../vitals.ts'
import { Avatar } from './avatar.ts'

const TICK_MS = 250
const ENTER_TIMEOUT_MS = 10_000
const RETRY_MS = 250
const STARTING_ITEMS = { potion: 3 }

/** The avatars of one lobby: claimed, loaded, kept, saved. */
export class Avatars {
  readonly #store: EntityStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #vitals: Vitals | undefined
  readonly #saver: Saver
  readonly #world: World
  readonly #tracked = new Map<string, Tracked>()
  #cancelTick: () => void = () => {}

  constructor(
    store: EntityStore,
    options: {
      clock: Clock
      random: Random
      logger: Logger
      saveIntervalMs: number
      vitals?: Vitals
    },
  ) {
    this.#store = store
    this.#clock = options.clock
    this.#logger = options.logger
    this.#vitals = options.vitals
    this.#world = new World({ random: options.random })
    this.#saver = new Saver(store, {
      intervalMs: options.saveIntervalMs,
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      onFenced: ({ id }) => options.logger.warn('a newer owner has this avatar', { account: id }),
    })
    this.#tick()
  }

  get size(): number {
    return this.#tracked.size
  }

  /**
   * The account's avatar on this node. When another lobby still has it (it may just have crashed), waits until it lets
   * go or its lease ends.
   */
  async enter(node: ClusterNode, account: string, name: string): Promise<Avatar> {
    const until = this.#clock.now() + ENTER_TIMEOUT_MS
    for (;;) {
      try {
        return (await node.create(Avatar, account, name)).entity
      } catch (error) {
        if (
          (error as { code?: string }).code !== 'CLUSTER_OWNED_ELSEWHERE' ||
          this.#clock.now() > until
        )
          throw error
      }
      await new Promise<void>((resolve) => void this.#clock.setTimer(RETRY_MS, resolve))
    }
  }

  /** Makes the entity of a claimed avatar from what the store has. */
  async spawn(account: string, name: string, root: Omit<Root, 'entity'>): Promise<Avatar> {
    const stored = await this.#store.load('avatar', account, { fence: root.fence })
    const avatar = this.#world.spawn(Avatar, { id: `avatar/${account}/${root.fence}` })
    if (stored === undefined) {
      avatar.bag.items = STARTING_ITEMS
      avatar.profile.name = name
    } else {
      // The store gives back what `toData` gave it.
      avatar.fromData(stored.data as EntityData)
    }
    const tracked = this.#saver.track({
      type: 'avatar',
      id: account,
      version: stored?.version ?? 0,
      fence: root.fence,
      snapshot: () => avatar.toData(),
    })
    avatar.onChange = () => tracked.markDirty()
    this.#tracked.set(account, tracked)
    return avatar
  }

  /** Saves an avatar that leaves this node. */
  async gone(root: Root): Promise<void> {
    const avatar = root.entity as Avatar
    avatar.onTick()
    const tracked = this.#tracked.get(root.id)
    this.#tracked.delete(root.id)
    await tracked?.release().catch((error: unknown) => {
      this.#logger.warn('an avatar was not saved', { account: root.id, error })
    })
    this.#world.destroy(avatar)
  }

  async stop(): Promise<void> {
    this.#cancelTick()
    await this.#saver.stop()
  }

  #tick(): void {
    this.#cancelTick = this.#clock.setTimer(TICK_MS, () => {
      this.#tick()
      const step = (): void => this.#world.step(TICK_MS)
      try {
        if (this.#vitals === undefined) step()
        else this.#vitals.run('step', step)
      } catch (error) {
        this.#logger.warn('a step of the avatars failed', { error })
      }
    })
  }
}
