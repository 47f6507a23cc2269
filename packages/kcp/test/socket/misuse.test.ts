import { expect, test, vi } from 'vitest'
import {
  authenticated,
  connect,
  connectRaw,
  type DatagramSocket,
  type DatagramSocketOptions,
  type KcpConnectOptions,
  type KcpListenOptions,
  listen,
  listenRaw,
} from '../../src/index.ts'
import {
  connecting,
  Heard,
  listening,
  pair,
  read,
  VirtualNetwork,
} from '../support/virtual-network.ts'

test('what is no Uint8Array is refused, and leaves the session as it was', async () => {
  const { network, near, far } = await pair()
  const heard = new Heard(far)
  for (const bad of [
    'hello',
    new ArrayBuffer(3),
    new Float32Array(2),
    new DataView(new ArrayBuffer(3)),
    7,
    {},
  ]) {
    expect(() => near.send(bad as Uint8Array)).toThrow(TypeError)
    expect(() => near.sendUnreliable(bad as Uint8Array)).toThrow(TypeError)
  }
  expect(near.bufferedBytes).toBe(0)
  near.send(Buffer.from('fine'))
  network.run(100)
  expect([heard.messages.map(String), heard.unreliable]).toEqual([['102,105,110,101'], []])
})

test('a host or a port that is none is refused before anything is opened', async () => {
  const openSocket = vi.fn<(options: DatagramSocketOptions) => Promise<DatagramSocket>>()
  const raw = { openSocket, allow: () => true }
  for (const port of [Number.NaN, undefined, -1, 1.5, 65_536, '7000']) {
    const at = { host: '127.0.0.1', port: port as number }
    await expect(listen({ ...at, openSocket }, () => {})).rejects.toThrow(/^port must be/)
    await expect(listenRaw({ ...at, ...raw }, () => {})).rejects.toThrow(/^port must be/)
    await expect(connect({ ...at, openSocket })).rejects.toThrow(/^port must be/)
    await expect(connectRaw({ ...at, openSocket })).rejects.toThrow(/^port must be/)
  }
  await expect(connect({ host: '127.0.0.1', port: 0, openSocket })).rejects.toThrow(RangeError)
  for (const host of [undefined, null, '', 7]) {
    const at = { host, port: 7000 } as unknown as KcpConnectOptions
    await expect(connect({ ...at, openSocket })).rejects.toThrow(/^host must be/)
  }
  expect(openSocket).not.toHaveBeenCalled()
})

test('options that nobody reads, texts as secrets, and nobody to take sessions are refused', async () => {
  const at = { host: '127.0.0.1', port: 0 }
  const secret = 'a secret of more than sixteen bytes' as unknown as Uint8Array
  await expect(listen({ ...at, secret } as KcpListenOptions, () => {})).rejects.toThrow(
    /^secret belongs/,
  )
  expect(() => authenticated({ secret: [secret] })).toThrow(TypeError)
  expect(() => authenticated({ secret })).toThrow(TypeError)
  await expect(listen(at, undefined as never)).rejects.toThrow(TypeError)
  await expect(listenRaw({ ...at, allow: () => true }, undefined as never)).rejects.toThrow(
    TypeError,
  )
})

test('an event that there is not is refused', async () => {
  const { near } = await pair()
  expect(() => near.on('data' as 'message', () => {})).toThrow(/^there is no event data/)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('allow')
    },
  ],
  ['answers with a promise', async () => true],
])('an allow that %s lets nobody in, and ends nothing', async (_, allow) => {
  const network = new VirtualNetwork()
  let isOdd = true
  const warnings: string[] = []
  const logger = { debug: () => {}, warn: (message: string) => void warnings.push(message) }
  const judge = (): boolean => (isOdd ? (allow() as unknown as boolean) : true)
  await listening(network, { allow: judge, logger })
  await expect(connecting(network)).rejects.toMatchObject({ code: 'KCP_REFUSED' })
  expect(warnings).toEqual(
    allow.constructor.name === 'AsyncFunction' ? [] : ['a hello made the handshake throw'],
  )
  isOdd = false
  expect((await connecting(network)).isOpen).toBe(true)
})

test('a client is told in words why it gets no session', async () => {
  const security = authenticated({ secret: new Uint8Array(16) })
  const network = new VirtualNetwork()
  await listening(network, { security, maxSessions: 1 })
  await expect(connecting(network)).rejects.toThrow(
    '10.0.0.1 port 7000: it knows another secret, or has another security',
  )
  await connecting(network, { security })
  await expect(connecting(network, { security }, '10.0.9.2')).rejects.toThrow(
    /as many sessions as it takes/,
  )

  const open = new VirtualNetwork()
  await listening(open)
  await expect(connecting(open, { security, connectTimeoutMs: 900 })).rejects.toMatchObject({
    code: 'KCP_CONNECT_FAILED',
    message: '10.0.0.1 port 7000: no answer that fits our secret or security',
  })
})

test('a process need not live for the socket of a session that has ended', async () => {
  const network = new VirtualNetwork()
  const unref = vi.fn<() => void>()
  const openSocket = (options: DatagramSocketOptions): Promise<DatagramSocket> =>
    Promise.resolve(Object.assign(network.open('10.0.9.1', options), { unref }))
  const { near, far } = await pair({ network, near: { openSocket } })
  read(far)
  network.run(100)
  expect(unref).not.toHaveBeenCalled()
  await network.settle(near.close())
  expect(unref).toHaveBeenCalledTimes(1)
})
