/**
 * Sequence numbers and timestamps live on a circle of 2^32. They are kept as signed 32-bit integers and compared
 * by their difference alone, so nothing happens at 2^31 or at 2^32.
 *
 * @returns The signed distance from `earlier` to `later`: negative when `later` is in fact the earlier one.
 */
export function serialDiff(later: number, earlier: number): number {
  return (later - earlier) | 0
}
