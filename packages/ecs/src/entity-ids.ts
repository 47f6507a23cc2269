import type { Random } from './random.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * Ids that no other world makes: 80 random bits drawn once per world, then a count.
 */
export class EntityIds {
  readonly #random: Random
  readonly #prefix: string
  #stem: string | undefined
  #count = 0

  constructor(random: Random, prefix: string) {
    this.#random = random
    this.#prefix = prefix
  }

  next(): string {
    this.#stem ??= `${this.#prefix}${encode(this.#random(10))}-`
    this.#count += 1
    return this.#stem + this.#count.toString(36)
  }
}

/** Five bits per character. */
function encode(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(held >> bits) & 31]
    }
  }
  return text
}
