import { expect, test } from 'vitest'
import { isLoopback, schemeOf, transportFor } from '../src/address.ts'
import { memoryNetwork } from '../src/memory.ts'
import { websocket } from '../src/websocket.ts'

test('loopback is this machine and nothing that looks like it', () => {
  for (const url of [
    'tcp://127.0.0.1:1',
    'tcp://127.8.9.1:1',
    'tcp://localhost:1',
    'ws://[::1]:80/x',
    'tcp://[::ffff:127.0.0.1]:5',
    'memory://anything',
    'sim://game_1:7001',
    'sim://game_1:7001#3',
  ]) {
    expect(isLoopback(url), url).toBe(true)
  }
  for (const url of [
    'tcp://10.0.0.1:1',
    'tcp://127.0.0.1.evil.example:1',
    'tcp://localhost.evil.example:1',
    'ws://0.0.0.0:1',
    'tcp://[2001:db8::1]:1',
    'tcp://[::ffff:10.0.0.1]:5',
    'tcp://evil.example/127.0.0.1',
    'tcp://127.0.0.1@evil.example:1',
    'nonsense',
    '',
  ]) {
    expect(isLoopback(url), url).toBe(false)
  }
})

test('a transport is found by the scheme, with TLS or without', () => {
  const [memory, socket] = [memoryNetwork().transport(), websocket()]
  expect(transportFor([memory, socket], 'ws://h:1/')).toBe(socket)
  expect(transportFor([memory, socket], 'wss://h:1/')).toBe(socket)
  expect(transportFor([memory, socket], 'memory://x')).toBe(memory)
  expect(() => transportFor([memory], 'tcp://h:1')).toThrow(/no transport for tcp.*memory/)
  expect([schemeOf('tcp://x'), schemeOf('x')]).toEqual(['tcp', ''])
})
