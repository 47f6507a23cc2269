export type KcpErrorCode =
  | 'KCP_CONNECT_FAILED'
  | 'KCP_REFUSED'
  | 'KCP_LISTEN_FAILED'
  | 'KCP_CLOSED'
  | 'KCP_TIMEOUT'
  | 'KCP_RESET'
  | 'KCP_SLOW_READER'
  | 'KCP_TOO_LARGE'
  | 'KCP_PROTOCOL'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class KcpError extends Error {
  override readonly name: string = 'KcpError'
  readonly code: KcpErrorCode

  constructor(code: KcpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
