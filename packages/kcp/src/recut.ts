import { FRG, LENGTH, type SendBuffer } from './send-buffer.ts'

/** Cuts `length` bytes into segments of at most `mss` and queues them, numbered down to fragment 0 unless it is a stream. */
export function queueCut(
  snd: SendBuffer,
  bytes: Uint8Array,
  offset: number,
  length: number,
  mss: number,
  stream: boolean,
): void {
  let at = offset
  let rest = length
  for (let index = fragmentsOf(length, mss) - 1; index >= 0; index -= 1) {
    const size = Math.min(rest, mss)
    snd.push(bytes, at, size, stream ? 0 : index)
    at += size
    rest -= size
  }
}

/** How many segments a message needs; an empty one needs one too. */
export function fragmentsOf(length: number, mss: number): number {
  return length <= mss ? 1 : Math.ceil(length / mss)
}

/**
 * Cuts what waits in `snd` anew, into segments of at most `mss`.
 *
 * @param isCutInMessage - The newest numbered segment is not the last of its message: the rest keeps its fragments.
 * @returns false, and nothing changed, while a segment that must stay is larger, or a message would need more than
 *   `maxFragments`.
 */
export function recut(
  snd: SendBuffer,
  mss: number,
  stream: boolean,
  isCutInMessage: boolean,
  maxFragments: number,
): boolean {
  if (!canRecut(snd, mss, isCutInMessage, maxFragments)) return false
  let isRest = isCutInMessage
  let parts: Uint8Array[] = []
  for (const { frg, bytes } of snd.unqueue()) {
    if (isRest) {
      snd.push(bytes, 0, bytes.length, frg)
      isRest = frg !== 0
      continue
    }
    parts.push(bytes)
    if (frg !== 0) continue
    const whole = Buffer.concat(parts)
    queueCut(snd, whole, 0, whole.length, mss, stream)
    parts = []
  }
  return true
}

function canRecut(
  snd: SendBuffer,
  mss: number,
  isCutInMessage: boolean,
  maxFragments: number,
): boolean {
  const { records } = snd
  for (let sn = snd.una; sn !== snd.nxt; sn = (sn + 1) | 0)
    if (records[snd.at(sn) + LENGTH]! > mss) return false
  let isRest = isCutInMessage
  let size = 0
  for (let sn = snd.nxt; sn !== snd.end; sn = (sn + 1) | 0) {
    const record = snd.at(sn)
    const length = records[record + LENGTH]!
    if (isRest && length > mss) return false
    size += length
    if (records[record + FRG] !== 0) continue
    if (!isRest && fragmentsOf(size, mss) > maxFragments) return false
    isRest = false
    size = 0
  }
  return true
}
