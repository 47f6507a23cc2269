import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  EtcdUserNotFoundError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from 'etcd3'
import { DiscoveryError } from './errors.ts'

const DENIED = [
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  EtcdUserNotFoundError,
  GRPCUnauthenticatedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotImplementedError,
]
/** What gRPC says when a request surely never left. */
const NEVER_SENT = /No connection established|Name resolution failed|closed before call started/

export const isTokenError = (error: unknown): boolean => error instanceof EtcdInvalidAuthTokenError

/** One of our errors for whatever `etcd3` and gRPC say. Anything unknown counts as "the link is broken". */
export function toDiscoveryError(cause: unknown): DiscoveryError {
  if (cause instanceof DiscoveryError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof EtcdLeaseInvalidError) {
    return new DiscoveryError('DISCOVERY_LEASE_LOST', `etcd: ${message}`, { cause })
  }
  if (DENIED.some((kind) => cause instanceof kind)) {
    return new DiscoveryError('DISCOVERY_DENIED', `etcd: ${message}`, { cause })
  }
  const isUnsent =
    cause instanceof ClientClosedError ||
    cause instanceof GRPCResourceExhastedError ||
    cause instanceof GRPCOutOfRangeError ||
    (cause instanceof GRPCUnavailableError && NEVER_SENT.test(message))
  const executed = isUnsent ? 'no' : 'maybe'
  return new DiscoveryError('DISCOVERY_UNAVAILABLE', `etcd: ${message}`, { cause, executed })
}
