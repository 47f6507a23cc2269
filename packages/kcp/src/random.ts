/** Returns that many random bytes. They make keys: a real one must be unpredictable. */
export type Random = (bytes: number) => Uint8Array

/** Random bytes of the platform. */
export const systemRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes))
