import {
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCInternalError,
  GRPCUnavailableError,
} from 'etcd3'
import { beforeAll, describe, expect, it } from 'vitest'
import { DiscoveryError } from '../src/index.ts'
import { isTokenError, toDiscoveryError } from '../src/etcd-errors.ts'
import { loadEtcd3 } from '../src/etcd-module.ts'

describe('an error of etcd3', () => {
  beforeAll(() => loadEtcd3())

  it('has one of our codes, and says whether the request may have been done', () => {
    const cases: [unknown, string, string][] = [
      [new GRPCUnavailableError('14 UNAVAILABLE: No connection established.'), 'UNAVAILABLE', 'no'],
      [new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped'), 'UNAVAILABLE', 'maybe'],
      [new GRPCDeadlineExceededError('Deadline exceeded'), 'UNAVAILABLE', 'maybe'],
      [new GRPCInternalError('RST_STREAM'), 'UNAVAILABLE', 'maybe'],
      [new TypeError('whatever'), 'UNAVAILABLE', 'maybe'],
      ['a string', 'UNAVAILABLE', 'maybe'],
      [new EtcdPermissionDeniedError('no'), 'DENIED', 'no'],
      [new EtcdInvalidAuthTokenError('old'), 'DENIED', 'no'],
      [new EtcdLeaseInvalidError('7'), 'LEASE_LOST', 'no'],
    ]
    for (const [cause, code, executed] of cases) {
      const error = toDiscoveryError(cause)
      expect(error).toMatchObject({ code: `DISCOVERY_${code}`, executed, cause })
    }
  })

  it('is left alone when it is ours already', () => {
    const error = new DiscoveryError('DISCOVERY_STOPPED', 'stopped')
    expect(toDiscoveryError(error)).toBe(error)
  })

  it('is known for a token that ran out', () => {
    expect(isTokenError(new EtcdInvalidAuthTokenError('old'))).toBe(true)
    expect(isTokenError(new EtcdPermissionDeniedError('no'))).toBe(false)
  })
})
