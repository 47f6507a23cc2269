import { randomBytes } from 'node:crypto'

/** Gives `bytes` random bytes. They become account ids, salts and guests' passwords. */
export type Random = (bytes: number) => Uint8Array

/** The operating system's randomness. */
export const systemRandom: Random = (bytes) => randomBytes(bytes)

/** 32 letters and digits that nobody mistakes for one another. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'

/** A word of so many letters, 5 random bits each. */
export function randomWord(random: Random, length: number): string {
  return Array.from(random(length), (byte) => ALPHABET[byte % ALPHABET.length]).join('')
}
