/** Random bytes as this package takes them: session ids and the jitter of heartbeats. */
export type Random = (bytes: number) => Uint8Array

/** The system's random source, in browsers and Node. */
export const systemRandom: Random = (bytes) => crypto.getRandomValues(new Uint8Array(bytes))
