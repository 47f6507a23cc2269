import { checkName, checkWhole } from './arguments.ts'
import { decodeDocument, encodeDocument } from './document.ts'
import type { EntityStore } from './entity-store.ts'
import { StoreError } from './errors.ts'
import { FlushWait } from './flush-wait.ts'
import { checkSaverOptions, MAX_DELAY_MS, type SaverOptions } from './options.ts'
import { fraction } from './random.ts'
import { SaveInterval } from './save-interval.ts'
import { SaveQueue, type SaveOutcomes } from './save-queue.ts'
import {
  TrackedEntity,
  type FlushOptions,
  type Host,
  type Trackable,
  type Tracked,
  type TrackedState,
} from './tracked-entity.ts'

export interface SaverStats {
  /** Entities in the saver's care. */
  readonly tracked: number
  /** Those of them with something that is not in the store yet. */
  readonly dirty: number
  /** Entities saved since the start. */
  readonly saved: number
  /** Batches that the store could not do. */
  readonly failedBatches: number
  readonly fenced: number
  readonly conflicts: number
  /** Saves refused for their data, or because `snapshot` threw. */
  readonly refused: number
}

/**
 * Saves entities some time after they change (write-behind). Each has at most one save under way, so
 * a later one never lands before an earlier one. Nothing keeps a copy of the data: what is saved is
 * what `snapshot()` gives at that moment.
 */
export class Saver implements AsyncDisposable {
  readonly #options: Required<SaverOptions>
  readonly #tracked = new Map<string, TrackedEntity>()
  readonly #interval: SaveInterval
  readonly #queue: SaveQueue
  readonly #counts = { saved: 0, failedBatches: 0, fenced: 0, conflicts: 0, refused: 0 }
  #trackedSoFar = 0
  #stopping: Promise<void> | undefined

  readonly #host: Host = {
    changed: (entity) => this.#interval.add(entity),
    flush: (entities, options) => this.#flush(entities, options),
    drop: (entity, state) => this.#drop(entity, state),
    // Through text, so that later changes do not reach it and bad values are refused at once.
    copy: (entity) => decodeDocument(encodeDocument(entity.source.snapshot(), Infinity)),
  }

  readonly #outcomes: SaveOutcomes = {
    saved: (entity) => {
      this.#counts.saved += 1
      if (entity.isDirty) this.#again(entity)
      else if (entity.state === 'releasing') this.#drop(entity, 'released')
    },
    fenced: (entity, fence) => this.#fenced(entity, fence),
    conflicted: (entity, storedVersion) => this.#conflicted(entity, storedVersion),
    refused: (entity, error) => this.#refused(entity, error),
    failed: (entities, error) => {
      this.#counts.failedBatches += 1
      this.#options.logger.warn('saving failed, trying again', {
        entities: entities.length,
        error: error.message,
      })
      this.#report(error, entities)
    },
  }

  constructor(store: EntityStore, options: SaverOptions = {}) {
    const settings = checkSaverOptions(options)
    this.#options = settings
    this.#queue = new SaveQueue(store, settings, this.#outcomes)
    this.#interval = new SaveInterval({
      intervalMs: settings.intervalMs,
      clock: settings.clock,
      phase: fraction(settings.random),
      onDue: (entities) => {
        this.#queue.add(entities)
        this.#queue.pump()
      },
    })
  }

  /**
   * Takes an entity into care. One with a higher fence replaces the one of the same type and id.
   *
   * @throws TypeError when the same entity is tracked already.
   * @throws StoreError `STORE_FULL`, or `STORE_CLOSED` after `stop`.
   */
  track(entity: Trackable): Tracked {
    const { type, id, version, fence } = entity
    checkName('type', type)
    checkName('id', id)
    checkWhole('version', version)
    checkWhole('fence', fence)
    if (this.#stopping !== undefined) {
      throw new StoreError('STORE_CLOSED', `cannot track ${type} ${id}: the saver has stopped`)
    }
    const key = `${type}\0${id}`
    const known = this.#tracked.get(key)
    if (known !== undefined) {
      if (fence <= known.source.fence) throw new TypeError(`${type} ${id} is tracked already`)
      this.#fenced(known, fence)
    }
    if (this.#tracked.size >= this.#options.maxTracked) {
      throw new StoreError('STORE_FULL', `${this.#tracked.size} entities are tracked already`)
    }
    const slot = this.#interval.slotOf(this.#trackedSoFar)
    this.#trackedSoFar += 1
    const tracked = new TrackedEntity(entity, key, slot, this.#host)
    this.#tracked.set(key, tracked)
    return tracked
  }

  /** Saves all that is dirty now and waits for it, over retries. */
  flush(options?: FlushOptions): Promise<void> {
    return this.#flush([...this.#tracked.values()], options)
  }

  /**
   * Saves all that is dirty and ends. Safe to call twice. The store stays open.
   *
   * @throws StoreError when something could not be saved in time; it is lost then.
   */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  stats(): SaverStats {
    let dirty = 0
    for (const entity of this.#tracked.values()) if (entity.isDirty) dirty += 1
    return { tracked: this.#tracked.size, dirty, ...this.#counts }
  }

  async #stop(): Promise<void> {
    try {
      await this.flush()
    } finally {
      const error = new StoreError('STORE_CLOSED', 'the saver has stopped', this.#uncertain())
      for (const entity of this.#tracked.values()) this.#drop(entity, 'released', error)
      this.#interval.stop()
      this.#queue.stop()
    }
  }

  async #flush(
    entities: readonly TrackedEntity[],
    { timeoutMs = this.#options.flushTimeoutMs, signal }: FlushOptions = {},
  ): Promise<void> {
    checkWhole('timeoutMs', timeoutMs, 1, MAX_DELAY_MS)
    signal?.throwIfAborted()
    const unsaved = entities.filter((entity) => entity.isDirty)
    if (unsaved.length === 0) return
    const wait = new FlushWait(unsaved)
    for (const entity of unsaved) this.#interval.remove(entity)
    this.#queue.add(unsaved.filter(({ place }) => place === 'none' || place === 'slot'))
    this.#queue.hurry()
    const cancelTimeout = this.#options.clock.setTimer(timeoutMs, () => {
      const message = `${wait.left} of ${wait.size} entities were not saved within ${timeoutMs} ms`
      wait.abandon(new StoreError('STORE_TIMEOUT', message, this.#uncertain()))
    })
    const abort = (): void => wait.abandon(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await wait.done
    } finally {
      cancelTimeout()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** It changed while it was being saved, or its last save did not do. */
  #again(entity: TrackedEntity): void {
    if (entity.waits.size > 0) this.#queue.add([entity])
    else this.#interval.add(entity)
  }

  #fenced(entity: TrackedEntity, fence: number): void {
    const { type, id, source } = entity
    this.#counts.fenced += 1
    this.#options.logger.warn('a newer owner has the entity', { type, id, fence })
    const message = `${type} ${id} has an owner with fence ${fence}, newer than ${source.fence}`
    this.#drop(entity, 'fenced', new StoreError('STORE_FENCED', message, { fence }))
    this.#call(() => this.#options.onFenced(source, fence))
  }

  #conflicted(entity: TrackedEntity, storedVersion: number): void {
    const { type, id, version } = entity
    this.#counts.conflicts += 1
    const message = `${type} ${id} is at version ${storedVersion} in the store, not ${version}: something else saves it`
    const error = new StoreError('STORE_CONFLICT', message)
    this.#options.logger.warn('something else saves the entity', {
      type,
      id,
      version,
      storedVersion,
    })
    this.#drop(entity, 'conflicted', error)
    this.#report(error, [entity])
  }

  #refused(entity: TrackedEntity, error: Error): void {
    this.#counts.refused += 1
    entity.failed(error)
    // A last snapshot never gets better; a live entity may.
    if (entity.state === 'releasing') this.#drop(entity, 'released')
    else this.#interval.add(entity)
    this.#report(error, [entity])
  }

  #drop(entity: TrackedEntity, state: TrackedState, error?: Error): void {
    this.#interval.remove(entity)
    this.#queue.remove(entity)
    this.#tracked.delete(entity.key)
    entity.drop(state, error)
  }

  #report(error: Error, entities: readonly TrackedEntity[]): void {
    this.#call(() =>
      this.#options.onError(
        error,
        entities.map(({ source }) => source),
      ),
    )
  }

  /** A caller's mistake in a callback must not stop the saving of everything else. */
  #call(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.#options.logger.warn('a callback of the saver threw', { error })
    }
  }

  #uncertain(): { executed: 'maybe'; cause?: Error } {
    const cause = this.#queue.lastError
    return cause === undefined ? { executed: 'maybe' } : { executed: 'maybe', cause }
  }
}
