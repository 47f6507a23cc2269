/** Returns that many random bytes. */
export type Random = (bytes: number) => Uint8Array

/** Random bytes of the platform. */
export const systemRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes))
