import type { Entity } from './entity.ts'
import { MAX_ENTITIES } from './handles.ts'
import { systemRandom, type Random } from './random.ts'

/** Where an error came from. */
export interface ErrorContext {
  readonly phase: 'system' | 'tick' | 'start' | 'destroy'
  /** The system's name or the class whose hook threw. */
  readonly name: string
  /** The entity concerned; absent for systems. */
  readonly entity?: Entity
}

export interface WorldOptions {
  /**
   * Told of every error that a system or a hook throws; the others run on. Without it the world runs the others too,
   * and then throws what it caught (several as an `AggregateError`) from the call that made them run.
   */
  readonly onError?: (error: unknown, context: ErrorContext) => void
  /** What ids made by the world begin with. Any string. @defaultValue '' */
  readonly idPrefix?: string
  /** Living entities at most; beyond, `spawn` throws. A whole number from 1 to 16,777,216. @defaultValue 1,000,000 */
  readonly maxEntities?: number
  /** Makes ids unique across worlds; asked once for 10 bytes. @defaultValue the platform's */
  readonly random?: Random
}

export interface SpawnOptions<E extends Entity> {
  /** Its id; no living entity of the world may have it. @defaultValue one that no other world makes */
  readonly id?: string
  /** Saved state, restored before `init` and every hook. */
  readonly data?: Parameters<E['fromData']>[0]
  /** Sets initial values: runs before every hook. */
  readonly init?: (entity: E) => void
}

export interface SystemOptions {
  /** Smaller runs earlier; ties run in the order added, systems before the ticks of classes. @defaultValue 0 */
  readonly order?: number
  /** What errors call it. @defaultValue the name of the function */
  readonly name?: string
}

/** @throws RangeError naming the option and its value. */
export function checkedOptions(options: WorldOptions): WorldOptions & {
  readonly idPrefix: string
  readonly maxEntities: number
  readonly random: Random
} {
  const { idPrefix = '', maxEntities = 1_000_000, random = systemRandom } = options
  if (!(Number.isInteger(maxEntities) && maxEntities >= 1 && maxEntities <= MAX_ENTITIES))
    throw new RangeError(
      `maxEntities must be a whole number from 1 to ${MAX_ENTITIES}, not ${maxEntities}`,
    )
  return { ...options, idPrefix, maxEntities, random }
}
