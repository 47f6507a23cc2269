import type { StoreError } from './errors.ts'

/** One entity as the store has it. `data` is the caller's own copy. */
export interface StoredEntity {
  readonly type: string
  readonly id: string
  /** Grows by one with each save. The first save makes it 1. */
  readonly version: number
  /** The highest fence that has loaded or saved this entity. */
  readonly fence: number
  /** What was saved. The README lists what may be in it. */
  readonly data: unknown
}

export interface LoadOptions {
  /**
   * The fence of the owner who loads. It is kept by the store, also when the entity does not exist
   * yet, and from then on every lower one is refused. Left out: only reads.
   */
  readonly fence?: number
}

export interface SaveRequest {
  readonly type: string
  readonly id: string
  /** The version this save is based on; 0 when the entity must not exist yet. */
  readonly version: number
  /** The fence of the owner who saves; 0 where owners are not fenced. */
  readonly fence: number
  readonly data: unknown
}

export type SaveResult =
  | { readonly saved: true; readonly version: number }
  | {
      readonly saved: false
      /**
       * `fenced`: a newer owner has it; stop acting for this entity. `conflict`: the version it is
       * based on is not the stored one.
       */
      readonly reason: 'fenced' | 'conflict'
      /** The version and fence that the store has. */
      readonly version: number
      readonly fence: number
    }
  | {
      readonly saved: false
      /** The data itself cannot be stored; `error.code` is `STORE_VALUE`. */
      readonly reason: 'refused'
      readonly error: StoreError
    }

export interface ListOptions {
  /** How many at most. A whole number from 1 to 10000. */
  readonly limit: number
  /** Only ids that begin with this. */
  readonly prefix?: string
  /** Only ids after this one: the last id of the page before. */
  readonly after?: string
}

/**
 * Where entities are kept. Every call settles in bounded time.
 *
 * Fences make an owner's word final: the fence is the number that grows with each owner of an
 * entity, for instance that of a claim in `@rts/discovery`. Once the store has seen a fence, it
 * refuses lower ones on load and on save, so an old owner that wakes up late can neither overwrite
 * the new one nor bring the stored version forward and make the new one's save fail.
 */
export interface EntityStore {
  /**
   * Reads one entity and raises its fence.
   *
   * @returns `undefined` when it has never been saved.
   * @throws StoreError `STORE_FENCED` when the store has seen a higher fence.
   */
  load(type: string, id: string, options?: LoadOptions): Promise<StoredEntity | undefined>

  /**
   * Saves a batch. The result of each request stands at its index: one that is refused leaves the
   * others alone. The data is read before this returns its promise.
   *
   * @throws when the store as a whole could not do it. `executed: 'no'` on the error says that
   * nothing of the batch was written; without it, each request may or may not have been.
   */
  save(batch: readonly SaveRequest[]): Promise<readonly SaveResult[]>

  /** The entities of a type in order of their ids (by their UTF-8 bytes). */
  list?(type: string, options: ListOptions): Promise<readonly StoredEntity[]>

  /** Lets calls under way finish, then closes. Safe to call twice. */
  close(): Promise<void>
}
