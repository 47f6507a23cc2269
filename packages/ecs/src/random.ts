/** Gives that many random bytes. */
export type Random = (bytes: number) => Uint8Array

/** The platform's own source of randomness, in Node and browsers alike. */
export const systemRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes))
