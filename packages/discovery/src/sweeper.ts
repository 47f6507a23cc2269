import { Backoff } from './backoff.ts'
import type { Backend } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import type { LeaseSession } from './lease-session.ts'
import type { Logger } from './logger.ts'
import type { Random } from './random.ts'

export interface SweeperOptions {
  readonly backend: Backend
  readonly session: LeaseSession
  readonly callTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** That a key is unwanted: one that is marked again while it is swept stays so. */
interface Mark {
  /** Where known, of the unwanted one's last write. */
  readonly modRevision: number | undefined
}

/**
 * Removes keys that stand under this node's lease though the node does not want them: a write whose answer
 * never came, a claim given up while the lease lived on. It tries until they are gone or the lease is.
 */
export class Sweeper {
  readonly #options: SweeperOptions
  readonly #backoff: Backoff
  readonly #unwanted = new Map<string, Mark>()
  #cancelTimer: () => void = () => {}
  #isStopped = false

  constructor(options: SweeperOptions) {
    this.#options = options
    this.#backoff = new Backoff({ baseMs: 100, maxMs: 2000, random: options.random })
  }

  has(key: string): boolean {
    return this.#unwanted.has(key)
  }

  /** From now on the key is removed wherever it stands under this lease. */
  add(key: string, modRevision?: number): void {
    if (this.#isStopped) return
    this.#unwanted.set(key, { modRevision })
    this.#plan()
  }

  /** Nothing can stand under the lease any more. */
  clear(): void {
    this.#unwanted.clear()
    this.#cancelTimer()
  }

  /** Removes one key now; it stays unwanted when that fails. */
  async sweep(key: string): Promise<void> {
    const { backend, session, callTimeoutMs } = this.#options
    const lease = session.held
    const mark = this.#unwanted.get(key)
    if (lease === undefined || mark === undefined) return
    let { modRevision } = mark
    if (modRevision === undefined) {
      const { entries } = await backend.range({ key }, { timeoutMs: callTimeoutMs })
      // Somebody else swept it meanwhile, and what stands there now may be wanted.
      if (!this.#unwanted.has(key)) return
      modRevision = entries[0]?.lease === lease ? entries[0].modRevision : undefined
    }
    if (modRevision !== undefined) {
      // Naming the revision keeps a delete that comes late from hitting a later owner.
      await backend.transact(
        { when: [{ key, modRevision }], then: [{ kind: 'delete', key }] },
        { timeoutMs: callTimeoutMs },
      )
    }
    if (this.#unwanted.get(key) === mark) this.#unwanted.delete(key)
  }

  /** The lease is held (again): tries at once. */
  wake(): void {
    this.#backoff.reset()
    this.#plan()
  }

  /** The lease is about to end, and everything with it. */
  stop(): void {
    this.#isStopped = true
    this.clear()
  }

  #plan(): void {
    this.#cancelTimer()
    if (this.#unwanted.size === 0) return
    const clock = inBackground(this.#options.clock)
    this.#cancelTimer = clock.setTimer(this.#backoff.nextMs(), () => void this.#run())
  }

  async #run(): Promise<void> {
    try {
      for (const key of [...this.#unwanted.keys()]) await this.sweep(key)
    } catch (error) {
      this.#options.logger.debug('unwanted keys not removed yet', { error })
    }
    this.#plan()
  }
}
