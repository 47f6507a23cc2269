/** Why a link closed, as `onClose` tells it. All but `lost` travel to the other end. */
export const CLOSE = {
  /** Closed on purpose. */
  normal: 1000,
  /** The node is stopping. */
  goingAway: 1001,
  /** Reset, cut, or ended without a word. */
  lost: 1006,
  /** Bytes that no correct peer sends. */
  protocol: 4400,
  /** A claim that was not proven. */
  unauthorized: 4401,
  /** Not allowed here: a virtual link nobody takes. */
  refused: 4403,
  /** The handshake took too long. */
  handshakeTimeout: 4408,
  /** A message above the limit. */
  tooLarge: 4413,
  /** No protocol version in common. */
  version: 4426,
  /** The other end reads too slowly: `maxBufferedBytes` was reached. */
  slowReader: 4429,
  /** Nothing was heard for `pingTimeoutMs`. */
  unresponsive: 4504,
} as const
