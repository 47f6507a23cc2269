import { RpcError } from '@rts/rpc'
import { describe, expect, test } from 'vitest'
import { outcomeOf } from '../src/node-health.ts'

describe('what an error says of a node', () => {
  test('that it is out of reach, that it failed, or nothing', () => {
    expect(outcomeOf(new RpcError('RPC_CONNECT_FAILED', ''))).toEqual({ unreachable: true })
    expect(outcomeOf(new RpcError('RPC_CLOSED', ''))).toEqual({ unreachable: true })
    expect(outcomeOf(new RpcError('RPC_TIMEOUT', ''))).toEqual({ failed: true })
    expect(outcomeOf(new RpcError('CLUSTER_UNKNOWN_TYPE', ''))).toEqual({ failed: false })
    expect(outcomeOf(new Error('of the caller'))).toEqual({})
  })
})
