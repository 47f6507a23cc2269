const SMALL = 16
const copy = Buffer.prototype.copy

/** Copies bytes between two arrays without making a view of either, which is what `set(subarray())` would do. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  if (length <= SMALL) {
    for (let index = 0; index < length; index += 1) target[at + index] = source[start + index]!
  } else if (length === source.length) target.set(source, at)
  else copy.call(source, target, at, start, start + length)
}
