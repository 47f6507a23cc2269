import type { Block } from './segment-pool.ts'

const SMALL = 16
/** Up to here, words are faster than a call into the runtime. */
const MAX_WORDWISE = 256
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

/** As `copyBytes`, between blocks: their views let it copy eight bytes at a time. */
export function copyBlock(
  source: Block,
  start: number,
  length: number,
  target: Block,
  at: number,
): void {
  if (length < 8 || length > MAX_WORDWISE) {
    copyBytes(source.bytes, start, length, target.bytes, at)
    return
  }
  const from = source.view
  const to = target.view
  const last = length - 8
  // Not as floating-point numbers: those need not keep every bit.
  for (let index = 0; index < last; index += 8)
    to.setBigInt64(at + index, from.getBigInt64(start + index, true), true)
  // The last word may overlap the one before it.
  to.setBigInt64(at + last, from.getBigInt64(start + last, true), true)
}
