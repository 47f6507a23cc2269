/** What each code answers over HTTP. */
const STATUS = {
  HTTP_BAD_REQUEST: 400,
  HTTP_UNAUTHORIZED: 401,
  HTTP_TICKET_MISSING: 401,
  HTTP_TICKET_EXPIRED: 401,
  HTTP_TICKET_INVALID: 401,
  HTTP_FORBIDDEN: 403,
  HTTP_NOT_FOUND: 404,
  HTTP_REQUEST_TIMEOUT: 408,
  HTTP_CONFLICT: 409,
  HTTP_NAME_TAKEN: 409,
  HTTP_TOO_LARGE: 413,
  HTTP_UNSUPPORTED_MEDIA_TYPE: 415,
  HTTP_RATE_LIMITED: 429,
  HTTP_INTERNAL: 500,
  HTTP_LISTEN_FAILED: 500,
  HTTP_BUSY: 503,
  HTTP_NOT_READY: 503,
  HTTP_UNAVAILABLE: 503,
} as const

/** What went wrong, for programs; the same over the wire. */
export type HttpErrorCode = keyof typeof STATUS

export interface HttpErrorOptions extends ErrorOptions {
  /** When to try again, in seconds; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
}

/**
 * Any failure this package reports. Branch on `code`; `message` is for people. Thrown in a route, it
 * becomes the answer, so never put into the message what a player must not read.
 */
export class HttpError extends Error {
  override readonly name: string = 'HttpError'
  readonly code: HttpErrorCode
  readonly retryAfterSeconds: number | undefined

  constructor(code: HttpErrorCode, message: string, options: HttpErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  /** The HTTP status of the answer. */
  get statusCode(): number {
    return STATUS[this.code]
  }
}
