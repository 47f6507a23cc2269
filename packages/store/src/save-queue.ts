import type { Clock } from './clock.ts'
import type { EntityStore, SaveRequest, SaveResult } from './entity-store.ts'
import { StoreError } from './errors.ts'
import { fraction, type Random } from './random.ts'
import type { TrackedEntity } from './tracked-entity.ts'

export interface SaveQueueOptions {
  readonly maxBatch: number
  readonly minRetryMs: number
  readonly maxRetryMs: number
  readonly clock: Clock
  readonly random: Random
}

/** What became of the entities of a batch. */
export interface SaveOutcomes {
  saved(entity: TrackedEntity): void
  fenced(entity: TrackedEntity, fence: number): void
  conflicted(entity: TrackedEntity, storedVersion: number): void
  /** This entity's data cannot be saved as it is. */
  refused(entity: TrackedEntity, error: Error): void
  /** The store could not do the batch; its entities are in the queue again. */
  failed(entities: readonly TrackedEntity[], error: Error): void
}

/**
 * Sends what is ready to the store, one batch at a time, so that no entity ever has two saves under
 * way. After a failure it pauses, longer each time, and halves the batch: should one entity make its
 * whole batch fail, the others soon travel without it.
 */
export class SaveQueue {
  readonly #store: EntityStore
  readonly #options: SaveQueueOptions
  readonly #outcomes: SaveOutcomes
  readonly #ready = new Set<TrackedEntity>()
  #batchLimit: number
  #isSending = false
  #isStopped = false
  #failures = 0
  #retryAt: number | undefined
  #cancelRetry: (() => void) | undefined
  #lastError: Error | undefined

  constructor(store: EntityStore, options: SaveQueueOptions, outcomes: SaveOutcomes) {
    this.#store = store
    this.#options = options
    this.#outcomes = outcomes
    this.#batchLimit = options.maxBatch
  }

  /** Why the store fails at present; undefined while it works. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  /** Puts entities at the end. Follow with `pump`, or with `hurry` when somebody waits. */
  add(entities: Iterable<TrackedEntity>): void {
    for (const entity of entities) {
      entity.place = 'ready'
      this.#ready.add(entity)
    }
  }

  remove(entity: TrackedEntity): void {
    this.#ready.delete(entity)
  }

  /** Sends now, or soon when the store fails: callers in a hurry must not end its rest. */
  hurry(): void {
    const soon = this.#options.clock.now() + this.#options.minRetryMs
    if (this.#retryAt !== undefined && this.#retryAt > soon) this.#pauseUntil(soon)
    this.pump()
  }

  pump(): void {
    if (this.#isSending || this.#isStopped || this.#retryAt !== undefined) return
    if (this.#ready.size === 0) return
    this.#isSending = true
    void this.#sendBatch().finally(() => {
      this.#isSending = false
      // Other work gets its turn between two batches.
      if (this.#ready.size > 0) this.#options.clock.defer(() => this.pump())
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelRetry?.()
    this.#ready.clear()
  }

  async #sendBatch(): Promise<void> {
    const { entities, requests } = this.#nextBatch()
    if (requests.length === 0) return
    let results: readonly SaveResult[]
    try {
      results = await this.#store.save(requests)
      if (results.length !== requests.length) {
        throw new StoreError(
          'STORE_IO',
          `the store gave ${results.length} results for ${requests.length} requests`,
          { executed: 'maybe' },
        )
      }
    } catch (error) {
      this.#batchFailed(entities, error)
      return
    }
    this.#failures = 0
    this.#lastError = undefined
    this.#batchLimit = Math.min(this.#options.maxBatch, 2 * this.#batchLimit)
    for (const [index, result] of results.entries()) {
      const entity = entities[index]
      if (entity !== undefined) this.#take(entity, result)
    }
  }

  #nextBatch(): { entities: TrackedEntity[]; requests: SaveRequest[] } {
    const entities: TrackedEntity[] = []
    const requests: SaveRequest[] = []
    const refused: [TrackedEntity, StoreError][] = []
    for (const entity of this.#ready) {
      if (requests.length === this.#batchLimit) break
      this.#ready.delete(entity)
      try {
        requests.push(entity.send())
        entities.push(entity)
      } catch (cause) {
        entity.place = 'none'
        const message = `the snapshot of ${entity.type} ${entity.id} threw: ${asError(cause).message}`
        refused.push([entity, new StoreError('STORE_VALUE', message, { cause })])
      }
    }
    for (const [entity, error] of refused) this.#outcomes.refused(entity, error)
    return { entities, requests }
  }

  #take(entity: TrackedEntity, result: SaveResult): void {
    entity.place = 'none'
    if (!entity.isTracked) return
    if (result.saved) {
      entity.saved(result.version)
      this.#outcomes.saved(entity)
    } else if (result.reason === 'fenced') {
      this.#outcomes.fenced(entity, result.fence)
    } else if (result.reason === 'refused') {
      this.#outcomes.refused(entity, result.error)
    } else if (isOwnSave(entity, result)) {
      // An attempt that seemed to fail did arrive. What it held may be old, so save once more.
      entity.version = result.version
      entity.mayBeWritten = false
      this.add([entity])
    } else {
      this.#outcomes.conflicted(entity, result.version)
    }
  }

  #batchFailed(entities: readonly TrackedEntity[], cause: unknown): void {
    const error = asError(cause)
    const tracked = entities.filter((entity) => entity.isTracked)
    for (const entity of tracked) {
      // A failure that does not say `no` leaves it open.
      if (!('executed' in error && error.executed === 'no')) entity.mayBeWritten = true
    }
    this.add(tracked)
    this.#failures += 1
    this.#lastError = error
    this.#batchLimit = Math.max(1, Math.floor(this.#batchLimit / 2))
    const { minRetryMs, maxRetryMs, clock, random } = this.#options
    const fullMs = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(this.#failures - 1, 30))
    this.#pauseUntil(clock.now() + fullMs * (0.5 + 0.5 * fraction(random)))
    this.#outcomes.failed(tracked, error)
  }

  #pauseUntil(time: number): void {
    if (this.#isStopped) return
    this.#cancelRetry?.()
    this.#retryAt = time
    const delayMs = Math.max(0, time - this.#options.clock.now())
    this.#cancelRetry = this.#options.clock.setTimer(delayMs, () => {
      this.#retryAt = undefined
      this.pump()
    })
  }
}

/**
 * The stored version is the one that an attempt of ours would have made. With a fence nobody else can
 * have written it: that would have taken a higher fence.
 */
function isOwnSave(
  entity: TrackedEntity,
  stored: { readonly version: number; readonly fence: number },
): boolean {
  const { fence } = entity.source
  return (
    entity.mayBeWritten &&
    fence > 0 &&
    stored.fence === fence &&
    stored.version === entity.version + 1
  )
}

const asError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error(String(cause), { cause })
