import type { Block } from './segment-pool.ts'

const SMALL = 16
/** Up to here, words are faster than a call into the runtime. */
const MAX_WORDWISE = 256
const MAX_REMEMBERED_BYTES = 65_536
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
  if (isForWords(length)) copyWords(source.view, start, length, target.view, at)
  else copyBytes(source.bytes, start, length, target.bytes, at)
}

/** As `copyBytes`, into a block. */
export function copyIn(
  source: Uint8Array,
  start: number,
  length: number,
  target: Block,
  at: number,
): void {
  const view = isForWords(length) ? sources.viewOf(source) : undefined
  if (view === undefined) copyBytes(source, start, length, target.bytes, at)
  else copyWords(view, start, length, target.view, at)
}

/** As `copyBytes`, out of a block. */
export function copyOut(
  source: Block,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  if (length > MAX_WORDWISE) {
    const part = source.partAgain(start, length)
    if (part === undefined) copyBytes(source.bytes, start, length, target, at)
    else target.set(part, at)
    return
  }
  const view = isForWords(length) ? targets.viewOf(target) : undefined
  if (view === undefined) copyBytes(source.bytes, start, length, target, at)
  else copyWords(source.view, start, length, view, at)
}

/** The view of an array that is used over and over, as most callers do; of one that is used once there is none. */
class LastView {
  #bytes: Uint8Array | undefined
  #view: DataView | undefined

  viewOf(bytes: Uint8Array): DataView | undefined {
    if (bytes === this.#bytes) return (this.#view ??= new DataView(bytes.buffer, bytes.byteOffset))
    // What is remembered is kept alive.
    if (bytes.buffer.byteLength > MAX_REMEMBERED_BYTES) return undefined
    this.#bytes = bytes
    this.#view = undefined
    return undefined
  }
}

const sources = new LastView()
const targets = new LastView()

const isForWords = (length: number): boolean => length >= 8 && length <= MAX_WORDWISE

function copyWords(
  source: DataView,
  start: number,
  length: number,
  target: DataView,
  at: number,
): void {
  const last = length - 8
  // Not as floating-point numbers: those need not keep every bit.
  for (let index = 0; index < last; index += 8)
    target.setBigInt64(at + index, source.getBigInt64(start + index, true), true)
  // The last word may overlap the one before it.
  target.setBigInt64(at + last, source.getBigInt64(start + last, true), true)
}
