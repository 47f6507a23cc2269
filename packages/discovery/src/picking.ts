import { checkNumber } from './options.ts'
import type { PickingOptions } from './pick.ts'

/** The options with their defaults. */
export type Picking = Required<Omit<PickingOptions, 'zone' | 'subset'>> &
  Pick<PickingOptions, 'zone' | 'subset'>

/** @throws RangeError naming the option and its value. */
export function checkPicking(options: PickingOptions = {}): Picking {
  const share = (name: string, value: number): number => {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must be 0 to 1, got ${value}`)
    return value
  }
  const { subset } = options
  if (subset) checkNumber('subset.size', subset.size, 1, true)
  return {
    ...options,
    slowStartMs: checkNumber('slowStartMs', options.slowStartMs ?? 30_000, 0),
    maxFailures: checkNumber('maxFailures', options.maxFailures ?? 5, 1, true),
    maxFailureRate: share('maxFailureRate', options.maxFailureRate ?? 0.5),
    ejectionMs: checkNumber('ejectionMs', options.ejectionMs ?? 10_000, 1),
    maxEjectedShare: share('maxEjectedShare', options.maxEjectedShare ?? 0.3),
    panicThreshold: share('panicThreshold', options.panicThreshold ?? 0.5),
    forgetMs: checkNumber('forgetMs', options.forgetMs ?? 30_000, 1),
  }
}
