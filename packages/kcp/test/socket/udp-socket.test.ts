import { eventually, freePort, seededRandom, UdpFaultProxy } from '@rts/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { connect, listen, socketCounters, type KcpSession } from '../../src/index.ts'
import { openUdpSocket } from '../../src/socket/udp-socket.ts'

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

describe('over real sockets', () => {
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
