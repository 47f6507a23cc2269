import { eventually, freePort, seededRandom, UdpFaultProxy } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { connect, listen, socketCounters, type KcpSession } from '../../src/index.ts'
import { HELLO_NONCE_AT, NONCE_BYTES } from '../../src/socket/datagram.ts'
import { openUdpSocket } from '../../src/socket/udp-socket.ts'
import { helloOf } from '../support/hello.ts'

const HOST = '127.0.0.1'
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function ends(
  through?: (port: number) => Promise<number>,
): Promise<[KcpSession, KcpSession]> {
  let far: KcpSession | undefined
  const listener = await listen({ host: HOST, port: 0 }, (session) => {
    far = session
  })
  cleanUps.push(() => listener.abort())
  const port = through === undefined ? listener.port : await through(listener.port)
  const near = await connect({ host: HOST, port })
  cleanUps.push(() => near.destroy())
  await eventually(() => far !== undefined)
  return [near, far!]
}

test('datagrams sent in one turn from one buffer arrive as they were sent', async () => {
  const options = { reusePort: false, bufferBytes: 1024 * 1024 }
  const to = await openUdpSocket({ ...options, bind: { host: HOST, port: 0 } })
  const from = await openUdpSocket({ ...options, bind: { host: HOST, port: 0 } })
  cleanUps.push(
    () => to.close(),
    () => from.close(),
  )
  const got: number[] = []
  to.onDatagram = (bytes) => got.push(bytes[0]! + bytes[bytes.length - 1]! * 256)
  const buffer = new Uint8Array(1000)
  for (let i = 0; i < 200; i += 1) {
    buffer.fill(i)
    from.send(buffer, 100, 900, to.port, to.address)
  }
  buffer.fill(99)
  await eventually(() => got.length === 200)
  expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i * 257))
})

test('what comes from an address with a socket of its own comes by that one, the rest by the port', async () => {
  const options = { reusePort: false, bufferBytes: 1024 * 1024 }
  const open = async (): ReturnType<typeof openUdpSocket> => {
    const socket = await openUdpSocket({ ...options, bind: { host: HOST, port: 0 } })
    cleanUps.push(() => socket.close())
    return socket
  }
  const [port, friend, stranger] = [await open(), await open(), await open()]
  const got: string[] = []
  port.onDatagram = (bytes) => got.push(`port ${bytes[0]}`)
  const own = await port.siblings?.connected(HOST, friend.port)
  // Only some systems have it.
  if (own !== undefined) {
    own.onDatagram = (bytes) => got.push(`own ${bytes[0]}`)
    cleanUps.push(() => own.close())
  }
  friend.send(Uint8Array.of(1), 0, 1, port.port, HOST)
  stranger.send(Uint8Array.of(2), 0, 1, port.port, HOST)
  await eventually(() => got.length === 2)
  expect(got.toSorted()).toEqual(own === undefined ? ['port 1', 'port 2'] : ['own 1', 'port 2'])
})

describe('over real sockets', () => {
  test.each(['ever new', 'repeated'])(
    'a flood of %s first hellos keeps nobody out, and nobody waiting who is in',
    async (kind) => {
      let far: KcpSession | undefined
      const listener = await listen(
        { host: HOST, port: 0, maxRetriesPerSecond: 200 },
        (session) => {
          far ??= session
          session.onMessage = (bytes) => void session.send(bytes)
        },
      )
      cleanUps.push(() => listener.abort())
      const near = await connect({ host: HOST, port: listener.port })
      cleanUps.push(() => near.destroy())
      let echoes = 0
      near.onMessage = () => (echoes += 1)
      const flooder = await openUdpSocket({
        connect: { host: HOST, port: listener.port },
        reusePort: false,
        bufferBytes: 1024 * 1024,
      })
      cleanUps.push(() => flooder.close())
      const hello = helloOf(new Uint8Array(8))
      const nonce = hello.subarray(HELLO_NONCE_AT, HELLO_NONCE_AT + NONCE_BYTES)
      let sent = 0
      const flood = setInterval(() => {
        for (let i = 0; i < 20; i += 1) {
          if (kind === 'ever new') nonce.set([(sent += 1), sent >> 8, sent >> 16])
          flooder.send(hello, 0, hello.length, listener.port, HOST)
        }
      }, 1)
      cleanUps.push(() => clearInterval(flood))
      await eventually(() => listener.counters().dropped.retryBudget > 500)
      for (let i = 0; i < 50; i += 1) {
        near.send(new Uint8Array(64))
        await eventually(() => echoes === i + 1)
      }
      for (let i = 0; i < 3; i += 1) {
        const late = await connect({ host: HOST, port: listener.port })
        cleanUps.push(() => late.destroy())
      }
      expect(near.isOpen && far!.isOpen).toBe(true)
    },
  )

  test('a line that loses, doubles, reorders and spoils, with a NAT that forgets: all arrives', async () => {
    let proxy: UdpFaultProxy | undefined
    const [near, far] = await ends(async (port) => {
      proxy = await UdpFaultProxy.listen({ target: { host: HOST, port }, random: seededRandom(4) })
      cleanUps.push(() => proxy?.close())
      return proxy.port
    })
    proxy!.set({
      lossProbability: 0.1,
      duplicateProbability: 0.05,
      reorderProbability: 0.05,
      corruptProbability: 0.02,
    })
    let next = 0
    let wrong = 0
    far.onMessage = (bytes) => {
      if (bytes[0]! + bytes[1]! * 256 !== next) wrong += 1
      next += 1
    }
    let migrations = 0
    far.on('migrated', () => (migrations += 1))
    for (let i = 0; i < 3000; i += 1) {
      near.send(Uint8Array.of(i, i >> 8, ...new Uint8Array(i % 100)))
      if (i % 1000 === 500) await proxy!.rebind()
      if (i % 50 === 0)
        await new Promise((resolve) => {
          setTimeout(resolve, 1)
        })
    }
    await eventually(() => next === 3000, { timeoutMs: 15_000 })
    expect(wrong).toBe(0)
    expect(migrations).toBeGreaterThan(0)
  })

  test('errors of the socket end no session at once: it goes on when the other end can be reached again', async () => {
    let proxy: UdpFaultProxy | undefined
    let target = 0
    const [near, far] = await ends(async (port) => {
      target = port
      proxy = await UdpFaultProxy.listen({ target: { host: HOST, port } })
      return proxy.port
    })
    const heard: number[] = []
    near.onMessage = (bytes) => heard.push(bytes.length)
    far.onMessage = (bytes) => void far.send(bytes)
    near.send(new Uint8Array(5))
    await eventually(() => heard.length === 1)
    const { port } = proxy!
    await proxy!.close()
    near.send(new Uint8Array(6))
    // Refused by the system.
    await eventually(() => near.stats().timeoutResends > 0)
    const again = await UdpFaultProxy.listen({ target: { host: HOST, port: target }, port })
    cleanUps.push(() => again.close())
    await eventually(() => heard.length === 2)
    expect(far.isOpen && near.isOpen).toBe(true)
    expect(socketCounters(near)?.closed).toBe(0)
  })

  test('nobody there is told well before the timeout; an address in use too', async () => {
    const began = performance.now()
    await expect(connect({ host: HOST, port: await freePort() })).rejects.toMatchObject({
      code: 'KCP_CONNECT_FAILED',
    })
    expect(performance.now() - began).toBeLessThan(4000)
    const listener = await listen({ host: HOST, port: 0 }, () => {})
    cleanUps.push(() => listener.close())
    await expect(listen({ host: HOST, port: listener.port }, () => {})).rejects.toMatchObject({
      code: 'KCP_LISTEN_FAILED',
    })
  })

  test('two listeners share a port where that is asked for', async () => {
    const first = await listen({ host: HOST, port: 0, reusePort: true }, () => {})
    const second = await listen({ host: HOST, port: first.port, reusePort: true }, () => {})
    cleanUps.push(
      () => first.close(),
      () => second.close(),
    )
    for (let i = 0; i < 8; i += 1) {
      const session = await connect({ host: HOST, port: first.port })
      cleanUps.push(() => session.destroy())
    }
    await eventually(() => first.sessionCount + second.sessionCount === 8)
  })

  test('IPv6 and names work', async () => {
    const listener = await listen({ host: '::1', port: 0 }, () => {})
    cleanUps.push(() => listener.close())
    const session = await connect({ host: '::1', port: listener.port })
    expect(session.isOpen).toBe(true)
    await session.close()
    const named = await listen({ host: HOST, port: 0 }, () => {})
    cleanUps.push(() => named.close())
    const byName = await connect({ host: 'localhost', port: named.port })
    await byName.close()
  })

  test('a signal closes a listener', async () => {
    const controller = new AbortController()
    const { port } = await listen({ host: HOST, port: 0, signal: controller.signal }, () => {})
    controller.abort()
    await eventually(async () => {
      const again = await listen({ host: HOST, port }, () => {})
      await again.close()
      return true
    })
  })
})
