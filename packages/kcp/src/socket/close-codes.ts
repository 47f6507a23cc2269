/** The numbers that travel with a close. Applications use 4000 to 4399, or any others. */
export const KCP_CLOSE = {
  /** Closed on purpose. */
  normal: 1000,
  /** The process is stopping. */
  goingAway: 1001,
  /** Nothing was heard, or the other end reset the session. */
  lost: 1006,
  /** The other end sent what no correct one sends. */
  protocol: 4400,
  /** A message above `maxMessageBytes`. */
  tooLarge: 4413,
  /** `maxBufferedBytes` was reached. */
  slowReader: 4429,
} as const
