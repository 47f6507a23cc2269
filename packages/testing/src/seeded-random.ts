/** Randomness as the packages here take it: so many random bytes. */
export type Random = (bytes: number) => Uint8Array

/** A `Random` that gives the same for the same seed, on every machine and version. */
export interface SeededRandom extends Random {
  /** The next number in [0, 1), of 32 random bits. */
  next(): number
  /** The next whole number in [0, `below`). `below` is a whole number from 1 to 2^32. */
  int(below: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One of these. */
  pick<T>(items: readonly T[]): T
  /** A new generator with its own sequence, which depends on how much was drawn here before. */
  fork(): SeededRandom
}

/**
 * A seeded generator: sfc32 ("small fast counting", Chris Doty-Humphrey, PractRand), its state
 * filled from the seed by splitmix32. Good for tests, worthless for secrets.
 *
 * @param seed - Any safe integer.
 */
export function seededRandom(seed: number): SeededRandom {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a safe integer, not ${seed}`)
  const low = seed >>> 0
  const high = Math.floor(seed / 2 ** 32) >>> 0
  const fill = splitmix32((low ^ Math.imul(high, 0x9e3779b9)) >>> 0)
  return generator(sfc32(fill(), fill(), fill() ^ high))
}

function generator(draw: () => number): SeededRandom {
  const int = (below: number): number => {
    if (!Number.isInteger(below) || below < 1 || below > 2 ** 32)
      throw new RangeError(`below must be a whole number from 1 to 2^32, not ${below}`)
    // Draws from the incomplete last stretch of 2^32 are thrown away, so that all values are as likely.
    const limit = 2 ** 32 - (2 ** 32 % below)
    let value = draw()
    while (value >= limit) value = draw()
    return value % below
  }
  const next = (): number => draw() / 2 ** 32
  const bytes: Random = (count) => {
    const result = new Uint8Array(count)
    for (let index = 0; index < count; index += 4) {
      const value = draw()
      for (let byte = 0; byte < 4 && index + byte < count; byte += 1)
        result[index + byte] = value >>> (8 * byte)
    }
    return result
  }
  return Object.assign(bytes, {
    next,
    int,
    chance: (probability: number): boolean => next() < probability,
    pick: <T>(items: readonly T[]): T => items[int(items.length)]!,
    fork: (): SeededRandom => generator(sfc32(draw(), draw(), draw())),
  })
}

function sfc32(seedA: number, seedB: number, seedC: number): () => number {
  let a = seedA | 0
  let b = seedB | 0
  let c = seedC | 0
  let counter = 1
  const draw = (): number => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + result) | 0
    return result >>> 0
  }
  // The reference warms up by so many draws until the seed has reached every bit.
  for (let round = 0; round < 15; round += 1) draw()
  return draw
}

function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}
