import type { SaveRequest } from './entity-store.ts'
import type { FlushWait } from './flush-wait.ts'

/** What the saver needs to know of an entity. */
export interface Trackable {
  readonly type: string
  readonly id: string
  /** The version that was loaded; 0 when it was never saved. */
  readonly version: number
  /** The fence of this owner; 0 where owners are not fenced. */
  readonly fence: number
  /** What to save, as it is now. Called at the moment of each save, so it should be quick. */
  snapshot(): unknown
}

export interface FlushOptions {
  /** How long to wait, in milliseconds. @defaultValue `flushTimeoutMs` of the saver */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** How an entity stands with its saver; all but the first two mean that it is tracked no more. */
export type TrackedState = 'tracked' | 'releasing' | 'released' | 'fenced' | 'conflicted'

/** An entity in the care of a saver. */
export interface Tracked {
  readonly type: string
  readonly id: string
  readonly state: TrackedState
  /** The version that the store has, as far as is known. */
  readonly version: number
  /** Something is not in the store yet, a save under way included. */
  readonly isDirty: boolean
  /** Says that it changed. Cheap; does nothing once it is released or fenced. */
  markDirty(): void
  /**
   * Saves it now and waits for that, over retries.
   *
   * @throws StoreError `STORE_TIMEOUT` (it stays dirty and is tried again), `STORE_FENCED`,
   * `STORE_CONFLICT` or `STORE_VALUE`.
   */
  flush(options?: FlushOptions): Promise<void>
  /**
   * Takes the last snapshot before it returns its promise, saves it and lets the entity go. When that
   * fails with `STORE_TIMEOUT`, the saver goes on trying; call again to wait again.
   */
  release(options?: FlushOptions): Promise<void>
  /** Lets the entity go at once and saves nothing more. */
  forget(): void
}

/** Where an entity waits: nowhere, for its phase of the interval, for the next batch, for the store. */
export type Place = 'none' | 'slot' | 'ready' | 'sending'

/** What a tracked entity asks of its saver. */
export interface Host {
  changed(entity: TrackedEntity): void
  flush(entities: readonly TrackedEntity[], options: FlushOptions | undefined): Promise<void>
  drop(entity: TrackedEntity, state: TrackedState): void
  /** A copy that the caller's later changes do not reach. */
  copy(entity: TrackedEntity): unknown
}

/** The bookkeeping of one entity: what changed, what was sent, what the store has. */
export class TrackedEntity implements Tracked {
  readonly source: Trackable
  readonly key: string
  readonly slot: number
  readonly waits: Map<FlushWait, number> = new Map()
  place: Place = 'none'
  state: TrackedState = 'tracked'
  version: number
  /** An attempt failed without saying that nothing was written. */
  mayBeWritten = false
  readonly #host: Host
  #generation = 0
  #savedGeneration = 0
  #sentGeneration = 0
  #last: { readonly data: unknown } | undefined

  constructor(source: Trackable, key: string, slot: number, host: Host) {
    this.source = source
    this.key = key
    this.slot = slot
    this.version = source.version
    this.#host = host
  }

  get type(): string {
    return this.source.type
  }

  get id(): string {
    return this.source.id
  }

  get isTracked(): boolean {
    return this.state === 'tracked' || this.state === 'releasing'
  }

  get isDirty(): boolean {
    return this.isTracked && this.#generation > this.#savedGeneration
  }

  get generation(): number {
    return this.#generation
  }

  markDirty(): void {
    if (this.state !== 'tracked') return
    this.#generation += 1
    if (this.place === 'none') this.#host.changed(this)
  }

  flush(options?: FlushOptions): Promise<void> {
    return this.#host.flush([this], options)
  }

  async release(options?: FlushOptions): Promise<void> {
    if (this.state === 'tracked') {
      if (this.isDirty) this.#last = { data: this.#host.copy(this) }
      this.state = 'releasing'
    }
    if (this.isDirty) return this.#host.flush([this], options)
    if (this.isTracked) this.#host.drop(this, 'released')
  }

  forget(): void {
    if (this.isTracked) this.#host.drop(this, 'released')
  }

  /** The request for what the entity is now. @throws what `snapshot` throws. */
  send(): SaveRequest {
    const { type, id, fence } = this.source
    const data = this.#last === undefined ? this.source.snapshot() : this.#last.data
    this.#sentGeneration = this.#generation
    this.place = 'sending'
    return { type, id, version: this.version, fence, data }
  }

  /** What was sent is in the store. */
  saved(version: number): void {
    this.version = version
    this.mayBeWritten = false
    this.#savedGeneration = this.#sentGeneration
    for (const [wait, target] of this.waits) {
      if (target <= this.#savedGeneration) this.#settle(wait, undefined)
    }
  }

  /** Tells all who wait that it cannot be saved as it is. */
  failed(error: Error): void {
    for (const wait of this.waits.keys()) this.#settle(wait, error)
  }

  /** Ends its being tracked. Those who wait get the error, or are done. */
  drop(state: TrackedState, error: Error | undefined): void {
    this.state = state
    this.place = 'none'
    for (const wait of this.waits.keys()) this.#settle(wait, error)
  }

  #settle(wait: FlushWait, error: Error | undefined): void {
    this.waits.delete(wait)
    wait.settle(error)
  }
}
