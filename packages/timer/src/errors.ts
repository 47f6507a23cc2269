/** Why a {@link TimerError} was thrown. */
export type TimerErrorCode = 'TIMER_DESTROYED' | 'TIMER_FULL'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class TimerError extends Error {
  override readonly name: string = 'TimerError'
  readonly code: TimerErrorCode

  constructor(code: TimerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
