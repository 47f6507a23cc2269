/**
 * The part of a message-oriented connection a session uses. One `send` here is one `onMessage`
 * there, in order, or the link closes.
 */
export interface SessionLink {
  /** Takes the message (copied before return). `false`: taken, but wait for `onDrain`. */
  send(message: Uint8Array): boolean
  close(code?: number, reason?: string): void
  readonly bufferedBytes: number
  /** The message is valid only during the call. */
  onMessage: (message: Uint8Array) => void
  onDrain: () => void
  onClose: (code: number, reason: string) => void
}
