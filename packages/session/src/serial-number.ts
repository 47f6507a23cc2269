/**
 * 32-bit sequence numbers that wrap. Two of them can be compared as long as they are less than
 * 2^31 apart, which the bound on unacknowledged frames guarantees.
 *
 * @see RFC 1982, serial number arithmetic.
 */

/** How many steps lead from `from` up to `to`, across the wrap: 0 to 2^32 - 1. */
export function serialDistance(from: number, to: number): number {
  return (to - from) >>> 0
}

/** The number `steps` after `from`. */
export function serialAdd(from: number, steps: number): number {
  return (from + steps) >>> 0
}

/** Whether `a` comes before `b` or is the same. */
export function serialAtMost(a: number, b: number): boolean {
  return ((b - a) | 0) >= 0
}
