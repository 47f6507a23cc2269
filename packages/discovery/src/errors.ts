/** What went wrong, for programs. */
export type DiscoveryErrorCode =
  | 'DISCOVERY_UNAVAILABLE'
  | 'DISCOVERY_DENIED'
  | 'DISCOVERY_DUPLICATE_ID'
  | 'DISCOVERY_LEASE_LOST'
  | 'DISCOVERY_CLAIM_LOST'
  | 'DISCOVERY_NOT_READY'
  | 'DISCOVERY_TIMEOUT'
  | 'DISCOVERY_STOPPED'
  | 'DISCOVERY_UNSUPPORTED'

export interface DiscoveryErrorOptions extends ErrorOptions {
  /** @defaultValue 'no' */
  readonly executed?: 'no' | 'maybe'
}

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class DiscoveryError extends Error {
  override readonly name: string = 'DiscoveryError'
  readonly code: DiscoveryErrorCode
  /** `maybe`: the request had left, and whether the backend did it is not known. */
  readonly executed: 'no' | 'maybe'

  constructor(code: DiscoveryErrorCode, message: string, options?: DiscoveryErrorOptions) {
    super(message, options)
    this.code = code
    this.executed = options?.executed ?? 'no'
  }
}
