export type ClusterErrorCode =
  | 'CLUSTER_DUPLICATE_NAME'
  | 'CLUSTER_NO_NODE'
  | 'CLUSTER_NOT_OWNER'
  | 'CLUSTER_OWNED_ELSEWHERE'
  | 'CLUSTER_STOPPED'
  | 'CLUSTER_UNKNOWN_TYPE'

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class ClusterError extends Error {
  override readonly name: string = 'ClusterError'
  readonly code: ClusterErrorCode
  /** Nothing was done, so another try is safe. */
  readonly executed = 'no' as const
  /** Plain values for the caller, such as the node that owns a root; they travel over RPC. */
  readonly data: Readonly<Record<string, unknown>> | undefined

  constructor(
    code: ClusterErrorCode,
    message: string,
    options?: ErrorOptions & { data?: Readonly<Record<string, unknown>> },
  ) {
    super(message, options)
    this.code = code
    this.data = options?.data
  }
}
