import { DiscoveryError } from './errors.ts'
import { loadedEtcd3 } from './etcd-module.ts'

/** Names of the classes of `etcd3` for what trying again does not help. */
const DENIED = [
  'EtcdAuthenticationFailedError',
  'EtcdInvalidAuthTokenError',
  'EtcdPermissionDeniedError',
  'EtcdUserNotFoundError',
  'GRPCUnauthenticatedError',
  'GRPCFailedPreconditionError',
  'GRPCInvalidArgumentError',
  'GRPCNotImplementedError',
] as const
const UNSENT = ['ClientClosedError', 'GRPCResourceExhastedError', 'GRPCOutOfRangeError'] as const
/** What gRPC says when a request surely never left. */
const NEVER_SENT = /No connection established|Name resolution failed|closed before call started/

type ErrorName =
  | (typeof DENIED)[number]
  | (typeof UNSENT)[number]
  | 'EtcdLeaseInvalidError'
  | 'GRPCUnavailableError'

/** The error is of one of these classes of `etcd3`. */
function isOne(error: unknown, ...names: readonly ErrorName[]): boolean {
  const etcd3 = loadedEtcd3()
  return etcd3 !== undefined && names.some((name) => error instanceof etcd3[name])
}

export const isTokenError = (error: unknown): boolean => isOne(error, 'EtcdInvalidAuthTokenError')

/** The revision asked for is compacted, or not reached yet. */
export const isRevisionError = (error: unknown): boolean => isOne(error, 'GRPCOutOfRangeError')

/** One of our errors for whatever `etcd3` and gRPC say. Anything unknown counts as "the link is broken". */
export function toDiscoveryError(cause: unknown): DiscoveryError {
  if (cause instanceof DiscoveryError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  if (isOne(cause, 'EtcdLeaseInvalidError')) {
    return new DiscoveryError('DISCOVERY_LEASE_LOST', `etcd: ${message}`, { cause })
  }
  if (isOne(cause, ...DENIED)) {
    return new DiscoveryError('DISCOVERY_DENIED', `etcd: ${message}`, { cause })
  }
  const isUnsent =
    isOne(cause, ...UNSENT) || (isOne(cause, 'GRPCUnavailableError') && NEVER_SENT.test(message))
  const executed = isUnsent ? 'no' : 'maybe'
  return new DiscoveryError('DISCOVERY_UNAVAILABLE', `etcd: ${message}`, { cause, executed })
}
