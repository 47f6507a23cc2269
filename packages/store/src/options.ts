import { checkWhole } from './arguments.ts'
import { systemClock, type Clock } from './clock.ts'
import { silentLogger, type Logger } from './logger.ts'
import { systemRandom, type Random } from './random.ts'
import type { Trackable } from './tracked-entity.ts'

export interface SaverOptions {
  /**
   * The longest time from a change to its save, in milliseconds. Entities take turns within it, so
   * that the store sees an even load. From 1. @defaultValue 8000
   */
  readonly intervalMs?: number
  /** How many entities go to the store in one batch. From 1. @defaultValue 100 */
  readonly maxBatch?: number
  /** How many entities may be tracked; one more is `STORE_FULL`. From 1. @defaultValue 100000 */
  readonly maxTracked?: number
  /** How long `flush`, `release` and `stop` wait, in milliseconds. From 1. @defaultValue 5000 */
  readonly flushTimeoutMs?: number
  /** The first pause after the store failed, in milliseconds; it doubles. From 1. @defaultValue 100 */
  readonly minRetryMs?: number
  /** The longest such pause, in milliseconds. Chance shortens each by up to half. @defaultValue 10000 */
  readonly maxRetryMs?: number
  /** A newer owner has this entity: it is tracked no more, and must stop acting. */
  readonly onFenced?: (entity: Trackable, fence: number) => void
  /**
   * A save failed. With `STORE_CONFLICT` the entity was dropped; otherwise it stays dirty and is tried
   * again.
   */
  readonly onError?: (error: Error, entities: readonly Trackable[]) => void
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
}

const DEFAULTS: Required<SaverOptions> = {
  intervalMs: 8_000,
  maxBatch: 100,
  maxTracked: 100_000,
  flushTimeoutMs: 5_000,
  minRetryMs: 100,
  maxRetryMs: 10_000,
  onFenced() {},
  onError() {},
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
}

/** The longest delay a timer of Node can have. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1

/** @throws RangeError naming the option that is out of range. */
export function checkSaverOptions(options: SaverOptions): Required<SaverOptions> {
  const settings = { ...DEFAULTS, ...options }
  checkWhole('intervalMs', settings.intervalMs, 1, MAX_DELAY_MS)
  checkWhole('maxBatch', settings.maxBatch, 1)
  checkWhole('maxTracked', settings.maxTracked, 1)
  checkWhole('flushTimeoutMs', settings.flushTimeoutMs, 1, MAX_DELAY_MS)
  checkWhole('minRetryMs', settings.minRetryMs, 1, MAX_DELAY_MS)
  checkWhole('maxRetryMs', settings.maxRetryMs, settings.minRetryMs, MAX_DELAY_MS)
  return settings
}
