export type SessionErrorCode = 'SESSION_FRAME_TOO_LARGE'

/** A failure this package throws. Branch on `code`; `message` is for people. */
export class SessionError extends Error {
  override readonly name: string = 'SessionError'
  readonly code: SessionErrorCode

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
