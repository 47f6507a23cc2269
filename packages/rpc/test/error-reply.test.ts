import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { RpcError, settle } from '../src/index.ts'
import { errorReply } from '../src/error-reply.ts'

const coded = Object.assign(new Error('no room'), { code: 'BAG_FULL', data: { max: 20 } })

test('an error with a code of its own travels to everybody: code, message and data', () => {
  for (const caller of ['server', 'player', 'admin'] as const) {
    expect(errorReply(coded, caller)).toEqual({
      code: 'BAG_FULL',
      message: 'no room',
      data: { max: 20 },
    })
  }
})

test('an error without a code shows its message to servers and nothing to players', () => {
  const error = new Error('select * from users failed')
  expect(errorReply(error, 'server')).toMatchObject({
    code: 'RPC_INTERNAL',
    message: error.message,
  })
  for (const caller of ['player', 'admin'] as const) {
    const reply = errorReply(error, caller)
    expect(reply.code).toBe('RPC_INTERNAL')
    expect(reply.message).not.toContain('users')
  }
})

test('players learn nothing of failed inner calls, files and sockets', async () => {
  const [missing] = await settle(readFile('/nowhere/secret.txt'))
  const inner = new RpcError('RPC_CONNECT_FAILED', 'tcp://10.0.0.7:7001: refused')
  const node = Object.assign(new Error('The "path" argument …'), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const error of [missing, inner, node]) {
    expect(errorReply(error, 'player')).toMatchObject({ code: 'RPC_INTERNAL', data: undefined })
    expect(errorReply(error, 'server').code).not.toBe('RPC_INTERNAL')
  }
})

test('whatever is thrown gives an answer of bounded length', () => {
  for (const thrown of [undefined, null, 'text', 7, {}, { code: 7 }, { code: 'x'.repeat(1000) }]) {
    expect(errorReply(thrown, 'server').code).toBe('RPC_INTERNAL')
  }
  const long = Object.assign(new Error('x'.repeat(100_000)), { code: 'LONG' })
  expect(errorReply(long, 'player').message.length).toBe(1024)
})
