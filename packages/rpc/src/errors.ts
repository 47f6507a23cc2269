/** The codes this package itself gives. The README's table says what each means. */
export type RpcErrorCode =
  | 'RPC_TIMEOUT'
  | 'RPC_CLOSED'
  | 'RPC_CONNECT_FAILED'
  | 'RPC_LISTEN_FAILED'
  | 'RPC_NO_TRANSPORT'
  | 'RPC_UNAUTHORIZED'
  | 'RPC_VERSION'
  | 'RPC_PROTOCOL'
  | 'RPC_UNKNOWN_SERVICE'
  | 'RPC_UNKNOWN_ENTITY'
  | 'RPC_UNKNOWN_METHOD'
  | 'RPC_FORBIDDEN'
  | 'RPC_BAD_ARGUMENTS'
  | 'RPC_BAD_REPLY'
  | 'RPC_TOO_LARGE'
  | 'RPC_OVERLOADED'
  | 'RPC_DEADLOCK'
  | 'RPC_INTERNAL'

/** `no`: surely not run. `yes`: the handler ran and failed. `maybe`: nobody here can know. */
export type Executed = 'no' | 'maybe' | 'yes'

export interface RpcErrorOptions extends ErrorOptions {
  /** @defaultValue 'no' */
  readonly executed?: Executed
  /** What the handler attached to its error. */
  readonly data?: unknown
}

/**
 * Any failure this package reports, and any error a remote handler threw. Branch on `code`: one of
 * {@link RpcErrorCode}, or the code of the handler's own error. `message` is for people.
 */
export class RpcError extends Error {
  override readonly name: string = 'RpcError'
  readonly code: RpcErrorCode | (string & {})
  readonly executed: Executed
  readonly data: unknown

  constructor(code: RpcErrorCode | (string & {}), message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.executed = options.executed ?? 'no'
    this.data = options.data
  }
}
