import type { Random } from './random.ts'

/**
 * Numbers for picks, from one seed: splitmix32. Picks are no secrets, and drawing bytes for each would cost more
 * than the pick. Its whole state is one number, so a pick can be foretold and taken back.
 */
export class Dice {
  state: number

  constructor(random: Random) {
    const [a = 0, b = 0, c = 0, d = 0] = random(4)
    this.state = (a << 24) | (b << 16) | (c << 8) | d
  }

  /** A number from 0 up to, not including, 1. */
  unit(): number {
    this.state = (this.state + 0x9e3779b9) | 0
    let word = this.state ^ (this.state >>> 16)
    word = Math.imul(word, 0x21f0aaad)
    word ^= word >>> 15
    word = Math.imul(word, 0x735a2d97)
    return ((word ^ (word >>> 15)) >>> 0) / 0x1_0000_0000
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    return Math.floor(this.unit() * count)
  }
}
