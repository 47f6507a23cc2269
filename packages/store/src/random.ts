import { randomBytes } from 'node:crypto'

/** Gives `bytes` random bytes. A seeded one makes phases and pauses repeatable. */
export type Random = (bytes: number) => Uint8Array

/** The operating system's randomness. */
export const systemRandom: Random = (bytes) => randomBytes(bytes)

/** A number in [0, 1). */
export function fraction(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4)
  return (a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24) / 2 ** 32
}
