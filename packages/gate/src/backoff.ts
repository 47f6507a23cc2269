import type { Random } from '@rts/rpc'

/** A random number in [0, 1). */
export function randomUnit(random: Random): number {
  const bytes = random(4)
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) / 2 ** 32
}

/**
 * Milliseconds to wait before the try after `failures` failed ones: anywhere from 0 to `baseMs` for the
 * first, so that thousands who lost the same thing do not come back in one instant; then half to all
 * of a delay that doubles up to `maxMs`.
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number, random: Random): number {
  if (failures === 0) return baseMs * randomUnit(random)
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))
  return ceiling * (0.5 + randomUnit(random) / 2)
}
