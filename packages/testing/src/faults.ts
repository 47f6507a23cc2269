// What the TCP and the UDP proxy share.
import { isIPv6 } from 'node:net'
import type { SeededRandom } from './seeded-random.ts'

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

export const urlOf = (scheme: string, { host, port }: HostAndPort): string =>
  `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`

/** Which way bytes or datagrams go: from who connected to the proxy, or back. */
export type Direction = 'toTarget' | 'toClient'

/** The one or both directions that an optional argument means. */
export const directionsOf = (direction: Direction | undefined): readonly Direction[] =>
  direction === undefined ? ['toTarget', 'toClient'] : [direction]

/** Flips one random bit of a copy with the given probability. */
export function corrupted(
  bytes: Uint8Array,
  probability: number,
  random: SeededRandom,
): Uint8Array | undefined {
  if (probability <= 0 || bytes.length === 0 || !random.chance(probability)) return undefined
  const copy = Uint8Array.from(bytes)
  const index = random.int(copy.length)
  copy[index] = copy[index]! ^ (1 << random.int(8))
  return copy
}

export function probability(field: string, value: number): number {
  if (!(value >= 0 && value <= 1))
    throw new RangeError(`${field} must be a probability from 0 to 1, not ${value}`)
  return value
}

export function atLeastZero(field: string, value: number): number {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new RangeError(`${field} must be a finite number from 0, not ${value}`)
  return value
}
