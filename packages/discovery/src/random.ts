import { randomBytes } from 'node:crypto'

/** Gives `bytes` random bytes. A seeded one makes picks and jitter repeatable. */
export type Random = (bytes: number) => Uint8Array

/** The operating system's randomness, drawn in blocks: a pick costs no system call. */
export const systemRandom: Random = (() => {
  let block = randomBytes(0)
  let used = 0
  return (bytes: number) => {
    if (bytes > 256) return randomBytes(bytes)
    if (used + bytes > block.length) {
      block = randomBytes(4096)
      used = 0
    }
    return block.subarray(used, (used += bytes))
  }
})()

/** A number from 0 up to, not including, 1. */
export function unitFrom(random: Random): number {
  const bytes = random(4)
  const word = (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!
  return (word >>> 0) / 0x1_0000_0000
}
