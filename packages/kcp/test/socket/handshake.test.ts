import { describe, expect, test } from 'vitest'
import { authenticated, connect, type KcpSession } from '../../src/index.ts'
import { KIND, MIN_HELLO_BYTES } from '../../src/socket/datagram.ts'
import {
  atEachStart,
  connecting,
  Heard,
  listening,
  pair,
  VirtualNetwork,
} from '../support/virtual-network.ts'
import { helloOf } from '../support/hello.ts'

const SERVER = '10.0.0.1 7000'
const hello = (nonce: number, token?: Uint8Array): Uint8Array =>
  helloOf(new Uint8Array(8).fill(nonce), token)

/** What the listener answers to one datagram. */
function answers(network: VirtualNetwork, from: string, bytes: Uint8Array): Uint8Array[] {
  network.isRecording = true
  const before = network.seen.length
  network.inject(from, SERVER, bytes.slice())
  return network.seen.slice(before).map((seen) => seen.bytes)
}

const tokenOf = (retry: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(retry.slice(9))

atEachStart(() => {
  describe('a listener and addresses that are not proven', () => {
    test('keeps nothing of a hello without a token and answers less than it got', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      for (let i = 0; i < 200; i += 1) {
        const [retry, ...more] = answers(network, `10.1.${i}.1 999`, hello(i))
        expect(more).toEqual([])
        expect(retry![0]).toBe(KIND.retry)
        expect(retry!.length * 10).toBeLessThan(MIN_HELLO_BYTES)
      }
      expect(listener.sessionCount).toBe(0)
      expect(listener.counters()).toMatchObject({ retries: 200, opened: 0 })
    })

    test('refuses a hello that is not padded, of another version, or no hello', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      const old = hello(1)
      old[4] = 9
      const other = hello(1)
      other[1] = 0
      for (const bytes of [hello(1).subarray(0, MIN_HELLO_BYTES - 1), old, other])
        expect(answers(network, '10.1.1.1 999', bytes)).toEqual([])
      expect(listener.counters().dropped).toMatchObject({
        helloTooShort: 1,
        helloVersion: 1,
        helloMalformed: 1,
      })
    })

    test('answers so many first hellos a second and no more, whoever sends them', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network, { maxRetriesPerSecond: 50 })
      for (let i = 0; i < 500; i += 1) answers(network, `10.1.${i >> 8}.${i & 255} 999`, hello(1))
      expect(listener.counters()).toMatchObject({ retries: 50, dropped: { retryBudget: 450 } })
      network.run(1000)
      expect(answers(network, '10.1.1.1 999', hello(1))).toHaveLength(1)
    })

    test('takes a token only from the address and port it was made for, with its nonce', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      const token = tokenOf(answers(network, '10.1.1.1 999', hello(1))[0]!)
      expect(answers(network, '10.1.1.2 999', hello(1, token))).toEqual([])
      expect(answers(network, '10.1.1.1 998', hello(1, token))).toEqual([])
      expect(answers(network, '10.1.1.1 999', hello(2, token))).toEqual([])
      expect(listener.counters().dropped.badToken).toBe(3)
      expect(answers(network, '10.1.1.1 999', hello(1, token))[0]![0]).toBe(KIND.accept)
    })

    test('takes a token for 5 to 10 s', async () => {
      const network = new VirtualNetwork()
      await listening(network)
      const first = tokenOf(answers(network, '10.1.1.1 999', hello(1))[0]!)
      network.run(4900)
      expect(answers(network, '10.1.1.1 999', hello(1, first))).toHaveLength(1)
      const second = tokenOf(answers(network, '10.1.1.1 999', hello(2))[0]!)
      network.run(10_000)
      expect(answers(network, '10.1.1.1 999', hello(2, second))).toEqual([])
      const third = tokenOf(answers(network, '10.1.1.1 999', hello(3))[0]!)
      network.run(60_000)
      expect(answers(network, '10.1.1.1 999', hello(3, third))).toEqual([])
    })

    test('answers no datagram of a session it does not know', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      for (let kind = 0; kind < 256; kind += 1)
        if (kind !== KIND.hello)
          expect(answers(network, '10.1.1.1 999', new Uint8Array(400).fill(kind))).toEqual([])
      const { dropped } = listener.counters()
      expect(dropped.unknownConv + dropped.unknownKind).toBe(255)
    })

    test('drops what is too long or empty before any work', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      expect(answers(network, '10.1.1.1 999', new Uint8Array(1501).fill(1))).toEqual([])
      expect(answers(network, '10.1.1.1 999', new Uint8Array(0))).toEqual([])
      expect(answers(network, '10.1.1.1 999', new Uint8Array([16, 1]))).toEqual([])
      expect(listener.counters().dropped).toMatchObject({ tooLong: 1, tooShort: 2 })
    })
  })

  describe('a listener and addresses that are proven', () => {
    test('gives the same conv to a hello that comes again', async () => {
      const network = new VirtualNetwork()
      const listener = await listening(network)
      const token = tokenOf(answers(network, '10.1.1.1 999', hello(1))[0]!)
      const first = answers(network, '10.1.1.1 999', hello(1, token))
      const second = answers(network, '10.1.1.1 999', hello(1, token))
      expect(second).toEqual(first)
      expect(first[0]!.length).toBeLessThanOrEqual(MIN_HELLO_BYTES)
      expect(listener.counters().opened).toBe(0)
    })

    test('shows a session to nobody until its client has used the keys, and forgets it after 5 s', async () => {
      const network = new VirtualNetwork()
      const sessions: KcpSession[] = []
      const listener = await listening(network, { maxSessionsPerAddress: 1 }, (session) => {
        sessions.push(session)
      })
      const token = tokenOf(answers(network, '10.1.1.1 999', hello(1))[0]!)
      answers(network, '10.1.1.1 999', hello(1, token))
      network.run(4000)
      const other = tokenOf(answers(network, '10.1.1.1 999', hello(2))[0]!)
      expect(answers(network, '10.1.1.1 999', hello(2, other))[0]![0]).toBe(KIND.refuse)
      network.run(2000)
      expect(answers(network, '10.1.1.1 999', hello(2, other))[0]![0]).toBe(KIND.accept)
      expect(sessions).toEqual([])
      expect(listener.counters().dropped.full).toBe(1)
    })

    test('limits sessions in all, of an address, and handshakes of a network', async () => {
      const network = new VirtualNetwork()
      const limits = { maxSessions: 3, maxSessionsPerAddress: 2, maxHandshakesPerSecond: 3 }
      const listener = await listening(network, limits)
      await connecting(network, {}, '10.0.9.1')
      await connecting(network, {}, '10.0.9.1')
      await expect(connecting(network, {}, '10.0.9.1')).rejects.toMatchObject({
        code: 'KCP_REFUSED',
      })
      const connectTimeoutMs = 300
      await expect(connecting(network, { connectTimeoutMs }, '10.0.9.2')).rejects.toMatchObject({
        code: 'KCP_CONNECT_FAILED',
      })
      expect(listener.counters().dropped.handshakeRate).toBeGreaterThan(0)
      await connecting(network, {}, '10.0.8.1')
      await expect(connecting(network, {}, '10.0.7.1')).rejects.toMatchObject({
        code: 'KCP_REFUSED',
      })
      expect(listener.counters().dropped.full).toBe(2)
      expect(listener.sessionCount).toBe(3)
    })

    test('asks before it makes a session', async () => {
      const network = new VirtualNetwork()
      const asked: string[] = []
      const listener = await listening(network, {
        allow: (address) => {
          asked.push(address)
          return address !== '10.0.9.66'
        },
      })
      await connecting(network)
      await expect(connecting(network, {}, '10.0.9.66')).rejects.toMatchObject({
        code: 'KCP_REFUSED',
      })
      expect(asked).toEqual(['10.0.9.1', '10.0.9.66'])
      expect(listener.counters().dropped.refused).toBe(1)
    })

    test('gives random, unique numbers that are never 0, and none again for a while', async () => {
      const network = new VirtualNetwork()
      // The same few numbers are drawn again and again.
      let draw = 0
      const random = (bytes: number): Uint8Array =>
        bytes === 4 ? Uint8Array.of((draw++ >> 1) % 7, 0, 0, 0) : network.random(bytes)
      const convs: number[] = []
      await listening(network, { random, idleTimeoutMs: 1000 }, ({ conv }) => convs.push(conv))
      const first = await connecting(network)
      await connecting(network)
      await network.settle(first.close())
      for (let i = 0; i < 4; i += 1) await connecting(network)
      network.run(500)
      expect(convs.toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      network.run(3000)
      await connecting(network)
      network.run(100)
      expect(convs[6]).toBeGreaterThan(0)
    })

    test('a worker takes numbers of its own and forwards what is another’s', async () => {
      const network = new VirtualNetwork()
      const forwarded: number[] = []
      const sessions: KcpSession[] = []
      const forward = (worker: number): void => void forwarded.push(worker)
      const worker = { index: 2, count: 4, forward }
      const listener = await listening(network, { worker }, (session) => sessions.push(session))
      for (let i = 0; i < 5; i += 1) await connecting(network)
      network.run(50)
      expect(sessions.map(({ conv }) => conv % 4)).toEqual([2, 2, 2, 2, 2])
      const datagram = new Uint8Array(60)
      datagram.set([KIND.kcp, 3, 0, 0, 0])
      listener.deliver(datagram, '10.1.1.1', 999)
      datagram[1] = 6
      listener.deliver(datagram, '10.1.1.1', 999)
      expect(forwarded).toEqual([3])
      expect(listener.counters().dropped.unknownConv).toBe(1)
    })
  })

  describe('connecting', () => {
    test('takes two round trips', async () => {
      const network = new VirtualNetwork()
      await listening(network)
      const began = network.time.now()
      await connecting(network)
      expect(network.time.now() - began).toBe(20)
    })

    test('gets there through loss, duplication and corruption', async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const network = new VirtualNetwork(seed)
        Object.assign(network.faults, { loss: 0.3, duplicate: 0.2, corrupt: 0.1, jitterMs: 20 })
        const sessions: KcpSession[] = []
        await listening(network, {}, (session) => sessions.push(session))
        const session = await connecting(network, { connectTimeoutMs: 30_000 })
        network.runUntil(() => sessions.length === 1)
        expect(sessions[0]!.conv).toBe(session.conv)
        network.run(5000)
        expect(sessions).toHaveLength(1)
      }
    })

    test('fails when nobody answers, in time', async () => {
      const network = new VirtualNetwork()
      const began = network.time.now()
      await expect(connecting(network, { connectTimeoutMs: 700 })).rejects.toMatchObject({
        code: 'KCP_CONNECT_FAILED',
      })
      expect(network.time.now() - began).toBe(700)
    })

    test('fails with the reason of its signal, which later resets the session', async () => {
      const network = new VirtualNetwork()
      const reason = new Error('never mind')
      const aborted = AbortSignal.abort(reason)
      await expect(connecting(network, { signal: aborted })).rejects.toBe(reason)
      const early = new AbortController()
      const attempt = connect({
        ...network.on('10.0.9.1'),
        host: '10.0.0.1',
        port: 7000,
        signal: early.signal,
      })
      setImmediate(() => early.abort(reason))
      await expect(attempt).rejects.toBe(reason)
      const late = new AbortController()
      const { network: open, far, near } = await pair({ near: { signal: late.signal } })
      const [heardFar, heardNear] = [new Heard(far), new Heard(near)]
      late.abort(reason)
      open.run(100)
      expect(heardNear.closes[0]).toMatchObject({ by: 'local', error: 'KCP_CLOSED' })
      expect(heardFar.closes[0]).toMatchObject({ code: 1006, by: 'peer', error: 'KCP_RESET' })
    })

    test('believes no RETRY, ACCEPT or REFUSE that does not carry its nonce', async () => {
      const network = new VirtualNetwork()
      await listening(network)
      const options = { ...network.on('10.0.9.1'), host: '10.0.0.1', port: 7000 }
      const attempt = connect(options)
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      for (const kind of [KIND.retry, KIND.accept, KIND.refuse])
        for (const size of [1, 9, 10, 25, 60, 200])
          network.inject(SERVER, '10.0.9.1 50000', new Uint8Array(size).fill(kind))
      expect((await network.settle(attempt)).isOpen).toBe(true)
    })

    test('a shared secret keeps out who does not know it, and may be rotated', async () => {
      const network = new VirtualNetwork()
      const [old, current, wrong] = [1, 2, 3].map((value) => new Uint8Array(32).fill(value)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ]
      const listener = await listening(network, {
        security: authenticated({ secret: [current, old] }),
      })
      for (const secret of [old, current])
        await connecting(network, { security: authenticated({ secret }) })
      for (const security of [authenticated({ secret: wrong }), authenticated()])
        await expect(connecting(network, { security })).rejects.toMatchObject({
          code: 'KCP_REFUSED',
        })
      expect(listener.counters()).toMatchObject({ opened: 2, dropped: { refused: 2 } })
      expect(() => authenticated({ secret: new Uint8Array(15) })).toThrow(RangeError)
      // A list from which the last has gone must not let everybody in.
      expect(() => authenticated({ secret: [] })).toThrow(RangeError)
    })

    test('a hello or an ACCEPT changed on the way leads to no session with other terms', async () => {
      const network = new VirtualNetwork()
      let opened = 0
      await listening(network, {}, () => (opened += 1))
      const tampered = [KIND.hello, KIND.accept]
      for (const kind of tampered) {
        const open = network.on('10.0.9.1')
        const openSocket: typeof open.openSocket = async (options) => {
          const socket = await open.openSocket(options)
          const send = socket.send.bind(socket)
          socket.send = (bytes, from, end, port, address) => {
            const copy = bytes.slice(from, end)
            // The idle timeout of a hello with a token.
            if (kind === KIND.hello && copy[0] === kind && copy[20]! > 0) copy[14]! ^= 1
            return send(copy, 0, copy.length, port, address)
          }
          let onDatagram: typeof socket.onDatagram = () => {}
          socket.onDatagram = (bytes, address, port) => {
            if (kind === KIND.accept && bytes[0] === kind) bytes[47]! ^= 1
            onDatagram(bytes, address, port)
          }
          return {
            address: socket.address,
            port: socket.port,
            send: socket.send,
            onError: () => {},
            close: () => socket.close(),
            set onDatagram(listener: typeof socket.onDatagram) {
              onDatagram = listener
            },
            get onDatagram() {
              return onDatagram
            },
          }
        }
        await expect(
          connecting(network, { ...open, openSocket, connectTimeoutMs: 500 }),
        ).rejects.toMatchObject({ code: 'KCP_CONNECT_FAILED' })
      }
      network.run(10_000)
      expect(opened).toBe(0)
    })
  })
})
