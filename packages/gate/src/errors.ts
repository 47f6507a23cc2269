/** The codes this package gives. The README's table says what each means. */
export type GateErrorCode =
  | 'GATE_UNKNOWN_SESSION'
  | 'GATE_UNKNOWN_ROUTE'
  | 'GATE_UNKNOWN_NODE'
  | 'GATE_UNREACHABLE'
  | 'GATE_SUPERSEDED'
  | 'GATE_NOT_BOUND'
  | 'GATE_TOO_MANY_GROUPS'
  | 'GATE_BAD_ARGUMENTS'
  | 'GATE_NO_TRANSPORT'
  | 'GATE_STOPPED'
  | 'GATE_SESSION_CLOSED'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class GateError extends Error {
  override readonly name: string = 'GateError'
  readonly code: GateErrorCode

  constructor(code: GateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
