/** The codes this package gives. The README's table says what each means. */
export type ClientErrorCode =
  | 'CLIENT_STOPPED'
  | 'CLIENT_CLOSED'
  | 'CLIENT_CONNECT_TIMEOUT'
  | 'CLIENT_ROUTE_LOST'

/** The close code and reason of a gate; for a refused ticket the reason is the code of the refusal. */
export interface CloseInfo {
  readonly code: number
  readonly reason: string
}

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  readonly code: ClientErrorCode
  /** Set for `CLIENT_STOPPED`. */
  readonly close: CloseInfo | undefined

  constructor(
    code: ClientErrorCode,
    message: string,
    options: ErrorOptions & { readonly close?: CloseInfo } = {},
  ) {
    super(message, options)
    this.code = code
    this.close = options.close
  }
}
