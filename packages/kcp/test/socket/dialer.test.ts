import { getEventListeners } from 'node:events'
import { eventually } from '@rts/testing'
import { expect, test } from 'vitest'
import {
  authenticated,
  connect,
  connectRaw,
  type DatagramSocket,
  type KcpConnectOptions,
  type KcpSecurity,
  socketCounters,
} from '../../src/index.ts'
import {
  ACCEPT_BODY_BYTES,
  decodeHello,
  encodeAcceptHeader,
  encodeRetry,
  writeU16,
  writeU32,
} from '../../src/socket/datagram.ts'
import { connecting, Heard, listening, pair, VirtualNetwork } from '../support/virtual-network.ts'

/** Terms as an ACCEPT tells them. */
interface Terms {
  readonly idleTimeoutMs: number
  readonly window: number
  readonly maxAckDelayMs: number
}

/** A server that knows the keys, and says in its ACCEPT what it likes. */
function lying(network: VirtualNetwork, { idleTimeoutMs, window, maxAckDelayMs }: Terms): void {
  const at = { host: '10.0.0.1', port: 7000 }
  const socket = network.open(at.host, { bind: at, reusePort: false, bufferBytes: 1 })
  const security = authenticated()
  socket.onDatagram = (bytes, address, port) => {
    const hello = decodeHello(bytes)
    if (typeof hello === 'string') return
    const answer = (reply: Uint8Array): boolean =>
      socket.send(reply, 0, reply.length, port, address)
    if (hello.token.length === 0) {
      answer(encodeRetry(hello.nonce, new Uint8Array(16)))
      return
    }
    const { reply, cipher } = security.accept(hello.key, bytes, network.random)!
    const room = ACCEPT_BODY_BYTES + cipher.overheadBytes
    const { bytes: accept, bodyStart } = encodeAcceptHeader(hello.nonce, 77, reply, room)
    writeU32(accept, bodyStart, idleTimeoutMs)
    writeU16(accept, bodyStart + 4, window)
    writeU16(accept, bodyStart + 6, maxAckDelayMs)
    cipher.seal(accept, 0, bodyStart, bodyStart + ACCEPT_BODY_BYTES, 0)
    answer(accept)
  }
}

const IDLE = [0, 1, 99, 2 ** 30, 2 ** 30 + 1, 2 ** 31, 2 ** 32 - 1]
const SMALL = [0, 1, 32_767, 32_768, 65_535]

test.each(
  IDLE.flatMap((idleTimeoutMs) =>
    SMALL.map((value) => ({ idleTimeoutMs, window: value, maxAckDelayMs: value })),
  ),
)(
  'no terms of a server end the process, nor keep a session longer than asked for: %o',
  async (terms) => {
    const network = new VirtualNetwork()
    lying(network, terms)
    const session = await connecting(network, { idleTimeoutMs: 20_000 })
    const heard = new Heard(session)
    session.send(new Uint8Array(5000))
    const began = network.time.now()
    network.runUntil(() => heard.closes.length > 0)
    expect(heard.closes).toMatchObject([{ code: 1006, by: 'network', error: 'KCP_TIMEOUT' }])
    const lastedMs = network.time.now() - began
    expect(lastedMs).toBeGreaterThan(50)
    expect(lastedMs).toBeLessThan(20_500)
  },
)

test('a security that throws at an answer costs that answer, and no more', async () => {
  const network = new VirtualNetwork()
  await listening(network)
  const own = authenticated()
  let throws = 1
  const security: KcpSecurity = {
    begin(random) {
      const { hello, finish } = own.begin(random)
      return {
        hello,
        finish: (...answer) => {
          if (throws-- > 0) throw new Error('no such curve')
          return finish(...answer)
        },
      }
    },
    accept: (...hello) => own.accept(...hello),
  }
  const session = await connecting(network, { security })
  expect(session.isOpen).toBe(true)
  expect(socketCounters(session)?.dropped.malformed).toBe(1)
})

/** Sockets on a virtual network whose opening the test ends, and which of them are open. */
class Openings {
  readonly #network: VirtualNetwork
  readonly open = new Set<DatagramSocket>()
  asked = 0
  finish: () => void = () => {}

  constructor(network: VirtualNetwork) {
    this.#network = network
  }

  options(isHeld: boolean): Pick<KcpConnectOptions, 'host' | 'port'> & Partial<KcpConnectOptions> {
    const on = this.#network.on('10.0.9.1')
    return {
      ...on,
      host: '10.0.0.1',
      port: 7000,
      openSocket: async (options) => {
        this.asked += 1
        if (isHeld) await new Promise<void>((resolve) => (this.finish = resolve))
        const socket = await on.openSocket(options)
        this.open.add(socket)
        const close = socket.close.bind(socket)
        socket.close = () => {
          this.open.delete(socket)
          return close()
        }
        return socket
      },
    }
  }

  /** The socket opens after all. */
  async tooLate(): Promise<void> {
    let wasOpen = 0
    const add = this.open.add.bind(this.open)
    this.open.add = (socket) => {
      wasOpen += 1
      return add(socket)
    }
    this.finish()
    await eventually(() => wasOpen === 1 && this.open.size === 0)
  }
}

test('the time to connect counts from the start, and a socket that opens later is closed', async () => {
  const network = new VirtualNetwork()
  const openings = new Openings(network)
  const began = network.time.now()
  const attempt = connect({ ...openings.options(true), connectTimeoutMs: 700 })
  await expect(network.settle(attempt)).rejects.toMatchObject({ code: 'KCP_CONNECT_FAILED' })
  expect(network.time.now() - began).toBe(700)
  await openings.tooLate()
})

test('what opening takes of the time to connect is not given again', async () => {
  const network = new VirtualNetwork()
  const openings = new Openings(network)
  const began = network.time.now()
  const attempt = connect({ ...openings.options(true), connectTimeoutMs: 700 })
  network.clock.setTimer(400, () => openings.finish())
  await expect(network.settle(attempt)).rejects.toMatchObject({ code: 'KCP_CONNECT_FAILED' })
  expect(network.time.now() - began).toBe(700)
  expect(openings.open.size).toBe(0)
})

test('an abort while the socket opens rejects at once with its reason', async () => {
  const network = new VirtualNetwork()
  const openings = new Openings(network)
  const controller = new AbortController()
  const reason = new Error('never mind')
  const attempt = connect({ ...openings.options(true), signal: controller.signal })
  controller.abort(reason)
  await expect(attempt).rejects.toBe(reason)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  await openings.tooLate()
})

test('what cannot be opened tells why', async () => {
  const cause = Object.assign(new Error('no more files'), { code: 'EMFILE' })
  const openSocket = (): Promise<never> => Promise.reject(cause)
  const attempt = connect({ host: '10.0.0.1', port: 7000, openSocket })
  await expect(attempt).rejects.toMatchObject({
    code: 'KCP_CONNECT_FAILED',
    message: '10.0.0.1 port 7000: EMFILE',
    cause,
  })
})

test('options that are out of range, and a security that cannot begin, open no socket', async () => {
  const openings = new Openings(new VirtualNetwork())
  const options = openings.options(false)
  const security: KcpSecurity = {
    begin: () => {
      throw new Error('no key')
    },
    accept: () => undefined,
  }
  await expect(connect({ ...options, security })).rejects.toThrow('no key')
  for (const conv of [0, -1, 1.5, 2 ** 32])
    await expect(connectRaw({ ...options, conv })).rejects.toThrow(RangeError)
  expect(openings.asked).toBe(0)
})

test('a session knows its other end by address, not by name', async () => {
  const network = new VirtualNetwork()
  const on = network.on('10.0.9.1')
  const openSocket: typeof on.openSocket = async (options) => {
    const socket = await on.openSocket({ ...options, connect: { host: '10.0.0.1', port: 7000 } })
    return Object.assign(socket, { remoteAddress: '10.0.0.1' })
  }
  const { near, far } = await pair({ network, near: { host: 'server.test', openSocket } })
  expect(near.remoteAddress).toBe('10.0.0.1')
  // An answer to a close that came too late is told by address too.
  near.destroy()
  far.send(Uint8Array.of(1))
  network.run(100)
  expect(far.isOpen).toBe(false)
})
