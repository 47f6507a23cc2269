export type LogErrorCode =
  | 'LOG_OPEN_FAILED'
  | 'LOG_WRITE_FAILED'
  | 'LOG_FLUSH_TIMEOUT'
  | 'LOG_RETENTION_FAILED'
  | 'LOG_HOOK_FAILED'
  | 'LOG_CONSOLE_FAILED'

/** A failure of a log's output. It goes to `onError`, never to the code that logs. */
export class LogError extends Error {
  override readonly name: string = 'LogError'
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
