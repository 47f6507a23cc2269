/** What can go wrong, as a stable code. */
export type TestingErrorCode =
  | 'TESTING_TIMEOUT'
  | 'TESTING_CLOCK_BUSY'
  | 'TESTING_CLOCK_LIMIT'
  | 'TESTING_CLOCK_STUCK'
  | 'TESTING_NO_FREE_PORT'
  | 'TESTING_PROXY_CLOSED'
  | 'TESTING_SERVICE_UNKNOWN'
  | 'TESTING_SERVICE_MISSING'
  | 'TESTING_SERVICE_FAILED'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class TestingError extends Error {
  override readonly name: string = 'TestingError'
  readonly code: TestingErrorCode

  constructor(code: TestingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
