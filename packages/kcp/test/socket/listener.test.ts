import { getEventListeners } from 'node:events'
import { eventually } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import { authenticated, type KcpSecurity, type KcpSession, listen } from '../../src/index.ts'
import { KIND } from '../../src/socket/datagram.ts'
import { connecting, Heard, listening, VirtualNetwork } from '../support/virtual-network.ts'
import { helloOf } from '../support/hello.ts'

const SERVER = '10.0.0.1 7000'

/** Goes on through what owners of sessions throw. */
function runThrough(network: VirtualNetwork, ms: number): string[] {
  const thrown: string[] = []
  const endMs = network.time.now() + ms
  while (network.time.now() < endMs) {
    try {
      network.time.run(endMs)
    } catch (error) {
      thrown.push((error as Error).message)
    }
  }
  return thrown
}

/** A listener with three sessions whose owners throw at their end, each its number. */
async function withThrowers(network: VirtualNetwork): Promise<{
  listener: Awaited<ReturnType<typeof listening>>
  far: KcpSession[]
  clients: KcpSession[]
  near: Heard[]
}> {
  const far: KcpSession[] = []
  const listener = await listening(network, {}, (session) => {
    const number = far.push(session)
    session.on('close', () => {
      throw new Error(`owner ${number}`)
    })
  })
  const clients: KcpSession[] = []
  for (let i = 0; i < 3; i += 1) clients.push(await connecting(network))
  const near = clients.map((client) => new Heard(client))
  network.run(100)
  return { listener, far, clients, near }
}

describe('owners of sessions that throw at the end', () => {
  test('keep no session open when the listener is aborted, and the port is given back', async () => {
    const network = new VirtualNetwork()
    const { listener, far, near } = await withThrowers(network)
    await expect(listener.abort()).rejects.toThrow('owner 1')
    expect(far.map(({ closeInfo }) => closeInfo?.code)).toEqual([1006, 1006, 1006])
    network.run(100)
    expect(near.map(({ closes }) => closes[0]?.error)).toEqual(Array(3).fill('KCP_RESET'))
    await listener.closed
    await listening(network)
    await expect(listener.abort()).resolves.toBeUndefined()
  })

  test('keep no session open when it is closed, and the port is given back', async () => {
    const network = new VirtualNetwork()
    const { listener, far, near } = await withThrowers(network)
    const closing = listener.close()
    expect(runThrough(network, 1000).toSorted()).toEqual(['owner 1', 'owner 2', 'owner 3'])
    await closing
    expect(far.map(({ closeInfo }) => closeInfo?.code)).toEqual([1001, 1001, 1001])
    expect(near.map(({ closes }) => closes[0]?.code)).toEqual([1001, 1001, 1001])
    await listening(network)
  })

  test('make a close reject that ends them itself, after all else is done', async () => {
    const network = new VirtualNetwork()
    const { listener, far, clients } = await withThrowers(network)
    // What it sent nobody has read, and nobody will: closing ends such a session at once.
    clients[0]!.send(Uint8Array.of(1))
    void clients[0]!.close()
    network.run(500)
    expect(listener.sessions).toHaveLength(3)
    const closing = listener.close()
    closing.catch(() => {})
    runThrough(network, 1000)
    await expect(closing).rejects.toThrow('owner 1')
    expect(far.every(({ isOpen }) => !isOpen)).toBe(true)
    await listening(network)
  })
})

test('a session that nobody took, as `onSession` threw, is reset, and what it threw is thrown', async () => {
  const network = new VirtualNetwork()
  const listener = await listening(network, {}, () => {
    throw new Error('not now')
  })
  const near = await connecting(network)
  const heard = new Heard(near)
  expect(runThrough(network, 1000)).toEqual(['not now'])
  expect(listener.sessionCount).toBe(0)
  expect(heard.closes).toMatchObject([{ code: 1006, by: 'peer', error: 'KCP_RESET' }])
  expect(listener.counters()).toMatchObject({ opened: 1, closed: 1 })
})

describe('a signal', () => {
  test('is let go of once the listener has closed, whichever way', async () => {
    const network = new VirtualNetwork()
    const { signal } = new AbortController()
    for (const how of ['close', 'abort', 'keep'] as const) {
      const listener = await listening(network, { signal })
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      if (how === 'abort') await listener.abort()
      else await listener.close(how === 'keep' ? { sessions: 'keep' } : {})
      await listener.closed
      expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    }
  })

  test('that is aborted while the socket opens rejects with its reason, and the socket is closed', async () => {
    const network = new VirtualNetwork()
    const controller = new AbortController()
    const reason = new Error('never mind')
    let isClosed = false
    let open: () => void = () => {}
    const on = network.on('10.0.0.1')
    const openSocket: typeof on.openSocket = async (options) => {
      await new Promise<void>((resolve) => (open = resolve))
      const socket = await on.openSocket(options)
      const close = socket.close.bind(socket)
      socket.close = () => {
        isClosed = true
        return close()
      }
      return socket
    }
    const { signal } = controller
    const listeningLate = listening(network, { signal, openSocket })
    controller.abort(reason)
    await expect(listeningLate).rejects.toBe(reason)
    open()
    await eventually(() => isClosed)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

test('sessions are counted by /64 of IPv6, whatever the rest of the address is, and by address of IPv4', async () => {
  const network = new VirtualNetwork()
  const maxSessionsPerAddress = 2
  const listener = await listening(network, { maxSessionsPerAddress, maxHandshakesPerSecond: 1000 })
  const outcomes = async (...addresses: string[]): Promise<string[]> => {
    const list: string[] = []
    for (const address of addresses) {
      const attempt = connecting(network, {}, address)
      list.push(
        await attempt.then(
          () => 'ok',
          ({ code }) => code as string,
        ),
      )
    }
    return list
  }
  expect(await outcomes('2001:db8:0:1::1', '2001:db8::1:2:3:4:5', '2001:db8:0:1:ffff::9')).toEqual([
    'ok',
    'ok',
    'KCP_REFUSED',
  ])
  expect(await outcomes('2001:db8:0:2::1', '2001:db8:0:2::1')).toEqual(['ok', 'ok'])
  expect(await outcomes('10.0.5.1', '::ffff:10.0.5.1', '::ffff:10.0.5.1', '10.0.5.2')).toEqual([
    'ok',
    'ok',
    'KCP_REFUSED',
    'ok',
  ])
  expect(listener.counters().dropped.full).toBe(2)
})

test('a place that a session leaves is free again for its /64', async () => {
  const network = new VirtualNetwork()
  await listening(network, { maxSessionsPerAddress: 1 })
  for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::3']) {
    const session = await connecting(network, {}, address)
    network.run(100)
    await network.settle(session.close())
  }
})

test('a worker forwards so many datagrams a second and no more, whoever sends them', async () => {
  const network = new VirtualNetwork()
  let forwarded = 0
  const worker = { index: 0, count: 2, forward: () => (forwarded += 1), maxForwardsPerSecond: 100 }
  const listener = await listening(network, { worker })
  const flood = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const datagram = new Uint8Array(60)
      datagram.set([KIND.kcp, 1 + 2 * (i & 63), i >> 6, 0, 0])
      listener.deliver(datagram, '10.1.1.1', 999)
    }
  }
  flood(500)
  expect(forwarded).toBe(10)
  expect(listener.counters().dropped.forwardRate).toBe(490)
  for (let ms = 0; ms < 1000; ms += 10) {
    network.run(10)
    flood(10)
  }
  expect(forwarded).toBe(110)
  await expect(
    listening(network, { port: 7001, worker: { ...worker, maxForwardsPerSecond: -1 } }),
  ).rejects.toThrow(RangeError)
})

test('any idle timeout and window of a hello is harmless, and a security that throws refuses', async () => {
  const network = new VirtualNetwork()
  const own = authenticated()
  let throws = false
  const security: KcpSecurity = {
    begin: (random) => own.begin(random),
    accept: (...hello) => {
      if (throws) throw new Error('no such curve')
      return own.accept(...hello)
    },
  }
  const listener = await listening(network, { security, maxHandshakesPerSecond: 1000 })
  network.isRecording = true
  const ask = (from: string, bytes: Uint8Array): Uint8Array | undefined => {
    const before = network.seen.length
    network.inject(from, SERVER, bytes.slice())
    return network.seen[before]?.bytes
  }
  const greet = (from: string, idleTimeoutMs: number, window: number): number | undefined => {
    const hello = helloOf(new Uint8Array(8).fill(1))
    const token = ask(from, hello)!.slice(9)
    const second = helloOf(new Uint8Array(8).fill(1), token)
    new DataView(second.buffer).setUint32(14, idleTimeoutMs, true)
    new DataView(second.buffer).setUint16(18, window, true)
    return ask(from, second)?.[0]
  }
  let port = 1
  for (const idle of [1, 99, 2 ** 30, 2 ** 30 + 1, 2 ** 31, 2 ** 32 - 1])
    for (const window of [1, 32_767, 32_768, 65_535])
      expect(greet(`10.1.1.1 ${port++}`, idle, window)).toBe(KIND.accept)
  throws = true
  expect(greet('10.1.1.1 999', 30_000, 256)).toBe(KIND.refuse)
  expect(listener.counters().dropped.refused).toBe(1)
})

test('an idle timeout or a tuning that KCP cannot have is refused before there is a socket', async () => {
  for (const options of [
    { idleTimeoutMs: 2 ** 30 + 1 },
    { idleTimeoutMs: 99 },
    { interval: 0 },
    { nodelay: 3 },
    { resend: -1 },
  ]) {
    const openSocket = (): never => {
      throw new Error('opened')
    }
    const attempt = listen({ port: 0, openSocket, ...options }, () => {})
    await expect(attempt).rejects.toThrow(RangeError)
  }
})
