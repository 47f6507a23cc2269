export type {
  EntityStore,
  ListOptions,
  LoadOptions,
  SaveRequest,
  SaveResult,
  StoredEntity,
} from './entity-store.ts'
export { MemoryStore } from './memory-store.ts'
export type { MemoryStoreOptions } from './memory-store.ts'
export { SqliteStore } from './sqlite-store.ts'
export type { SqliteStoreOptions } from './sqlite-store.ts'
export { Saver } from './saver.ts'
export type { SaverStats } from './saver.ts'
export type { SaverOptions } from './options.ts'
export type { FlushOptions, Trackable, Tracked, TrackedState } from './tracked-entity.ts'
export { StoreError } from './errors.ts'
export type { StoreErrorCode, StoreErrorOptions } from './errors.ts'
export type { Clock } from './clock.ts'
export type { Random } from './random.ts'
export type { Logger } from './logger.ts'
