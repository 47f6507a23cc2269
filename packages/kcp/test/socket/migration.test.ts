import { describe, expect, test } from 'vitest'
import type { DatagramSocket, DatagramSocketOptions } from '../../src/index.ts'
import { KIND } from '../../src/socket/datagram.ts'
import { atEachStart, Heard, pair, read, VirtualNetwork } from '../support/virtual-network.ts'

const SERVER = '10.0.0.1 7000'
const message = (size: number): Uint8Array => new Uint8Array(size)

atEachStart(() => {
  describe('a client whose address changes', () => {
    test('goes on within two round trips, and nothing is lost', async () => {
      const { network, near, far, listener } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      let sent = 0
      const tick = (): void => {
        sent += 1
        near.send(message(50))
        far.send(message(50))
        if (sent < 200) network.clock.setTimer(10, tick)
      }
      tick()
      network.run(500)
      network.rebind('10.0.9.1')
      const at = network.time.now()
      const before = heardNear.messages.length
      // What the listener had on its way is lost with the old address; two round trips of 10 ms, and a resend.
      network.runUntil(() => heardNear.messages.length > before + 3)
      expect(network.time.now() - at).toBeLessThan(20 + 60)
      network.runUntil(() => heardNear.messages.length === 200 && heardFar.messages.length === 200)
      expect(heardFar.migrations).toBe(1)
      expect(far.remotePort).not.toBe(50_000)
      expect(listener.counters().migrations).toBe(1)
    })

    test('a client that only reads asks until the listener has found it, though challenges are lost', async () => {
      const network = new VirtualNetwork()
      let lost = 0
      const openSocket = (options: DatagramSocketOptions): Promise<DatagramSocket> => {
        const socket = network.open('10.0.9.1', options)
        const filter: DatagramSocket = {
          address: socket.address,
          port: socket.port,
          onDatagram: () => {},
          onError: () => {},
          send: (...datagram) => socket.send(...datagram),
          close: () => socket.close(),
        }
        socket.onDatagram = (...datagram) => {
          if (datagram[0][0] === KIND.pathChallenge && lost < 3) lost += 1
          else filter.onDatagram(...datagram)
        }
        return Promise.resolve(filter)
      }
      const { near, far } = await pair({ network, near: { openSocket } })
      const heard = new Heard(near)
      network.run(1000)
      far.send(message(50))
      network.run(100)
      network.rebind('10.0.9.1')
      let sent = 0
      const at = network.time.now()
      network.runUntil(() => {
        if (network.time.now() > at + sent * 50) {
          far.send(message(50))
          sent += 1
        }
        return heard.messages.length > 20
      })
      expect(lost).toBe(3)
      expect(network.time.now() - at).toBeLessThan(9000)
    })

    test.each([
      { to: 'another port of the same host', host: '10.0.9.1', isKept: true },
      { to: 'another host', host: '10.0.9.7', isKept: false },
    ])(
      'to $to: round trip and congestion window are kept only where the path may be the same',
      async ({ host, isKept }) => {
        const { network, near, far } = await pair({ far: { nc: false } })
        const heard = new Heard(far)
        read(near)
        network.faults.delayMs = 150
        for (let i = 0; i < 40; i += 1) {
          far.send(message(3000))
          network.run(100)
        }
        network.run(1000)
        const slow = far.stats()
        expect(slow.rttMs).toBeGreaterThan(250)
        expect(slow.cwnd).toBeGreaterThan(4)
        network.faults.delayMs = 5
        network.rebind('10.0.9.1', host)
        far.send(message(3000))
        network.runUntil(() => {
          near.send(message(1))
          network.run(1)
          return heard.migrations === 1
        })
        // What was sent on the old path is acknowledged on the new one: that tells of neither.
        network.run(12)
        if (isKept) {
          expect(far.stats().rttMs).toBeGreaterThan(200)
          expect(far.stats().cwnd).toBeGreaterThanOrEqual(slow.cwnd)
        } else {
          expect(far.stats().rttMs).toBeLessThan(30)
          expect(far.stats().cwnd).toBeLessThan(5)
          far.send(message(10))
          network.run(1500)
          expect(far.stats().rttMs).toBeGreaterThanOrEqual(10)
          expect(far.stats().rttMs).toBeLessThan(30)
        }
      },
    )

    test('is found again when only the listener has something to say', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(near)
      far.send(message(10))
      network.run(100)
      network.rebind('10.0.9.1')
      for (let i = 0; i < 30; i += 1) {
        far.send(message(10))
        network.run(100)
      }
      network.run(500)
      expect(heard.messages).toHaveLength(31)
    })

    test('gets no more than three times what it sent before it has answered the challenge', async () => {
      const { network, near, far } = await pair()
      read(far)
      network.run(3000)
      network.isRecording = true
      far.send(message(20_000))
      // A NAT that lets nothing back in.
      network.rebind('10.0.9.1', '10.0.9.9')
      near.send(message(1))
      network.runUntil(() => network.seen.some(({ from }) => from.startsWith('10.0.9.9')))
      const fromNew = network.seen.filter(({ from }) => from.startsWith('10.0.9.9'))
      const newAddress = fromNew[0]!.from
      network.rebind('10.0.9.9', '10.0.9.10')
      network.run(60)
      const toNew = network.seen.filter(({ from, to }) => from === SERVER && to === newAddress)
      const sum = (list: readonly { bytes: Uint8Array }[]): number =>
        list.reduce((total, { bytes }) => total + bytes.length, 0)
      expect(toNew.every(({ bytes }) => bytes[0] === KIND.pathChallenge)).toBe(true)
      expect(sum(toNew)).toBeLessThanOrEqual(3 * sum(fromNew))
    })
  })

  describe('an attacker', () => {
    test('who replays what he has seen, from his own address, moves nothing', async () => {
      const { network, near, far, listener } = await pair()
      const heard = new Heard(far)
      network.isRecording = true
      for (let i = 0; i < 50; i += 1) {
        near.send(message(30))
        network.run(20)
      }
      network.run(100)
      const captured = network.seen.filter(({ to }) => to === SERVER)
      const before = network.seen.length
      for (const { bytes } of captured) network.inject('66.6.6.6 666', SERVER, bytes.slice())
      expect(listener.counters().dropped.replayed).toBe(captured.length)
      expect(network.seen.slice(before).filter(({ to }) => to.startsWith('66'))).toEqual([])
      expect([far.remoteAddress, heard.messages.length]).toEqual(['10.0.9.1', 50])
    })

    test('who is faster with a captured datagram gets a challenge and no session', async () => {
      const { network, near, far, listener } = await pair()
      const heard = new Heard(far)
      network.run(3000)
      network.isRecording = true
      near.send(message(30))
      network.runUntil(() => network.seen.length > 0)
      const { bytes } = network.seen[0]!
      network.inject('66.6.6.6 666', SERVER, bytes.slice())
      network.run(5000)
      expect(far.remoteAddress).toBe('10.0.9.1')
      expect(listener.counters().migrations).toBe(0)
      const toAttacker = network.seen.filter(({ to }) => to.startsWith('66'))
      expect(toAttacker.map(({ bytes: [kind] }) => kind)).toEqual([
        KIND.pathChallenge,
        KIND.pathChallenge,
        KIND.pathChallenge,
      ])
      near.send(message(30))
      network.run(100)
      expect(heard.messages).toHaveLength(2)
    })

    test('who knows conv and address, but not the key, changes nothing', async () => {
      const { network, near, far, listener } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      const from = `10.0.9.1 ${far.remotePort}`
      for (let kind = KIND.kcp; kind <= KIND.closed; kind += 1) {
        for (const size of [11, 12, 19, 20, 43, 100, 1400]) {
          const bytes = new Uint8Array(size)
          bytes.set([kind, near.conv, near.conv >>> 8, near.conv >>> 16, near.conv >>> 24])
          bytes[5] = 200
          network.inject(from, SERVER, bytes.slice())
          network.inject(SERVER, from, bytes.slice())
        }
      }
      const { dropped } = listener.counters()
      expect(dropped.notAuthentic + dropped.tooShort).toBe(63)
      near.send(message(10))
      far.send(message(10))
      network.run(100)
      expect([heardNear.messages.length, heardFar.messages.length]).toEqual([1, 1])
      expect([...heardNear.closes, ...heardFar.closes]).toEqual([])
    })
  })

  describe('the size of datagrams', () => {
    test('begins at 1200, and grows to what the path carries once data fills them', async () => {
      const { network, near, far } = await pair()
      read(far)
      network.faults.mtu = 1410
      network.isRecording = true
      for (let i = 0; i < 20; i += 1) {
        near.send(message(10))
        network.run(20)
      }
      expect(Math.max(...network.seen.map(({ bytes }) => bytes.length))).toBeLessThan(300)
      near.send(message(5000))
      network.run(20)
      const firstData = network.seen.filter(({ bytes }) => bytes[0] === KIND.kcp)
      expect(Math.max(...firstData.map(({ bytes }) => bytes.length))).toBe(1200)
      for (let i = 0; i < 100; i += 1) {
        near.send(message(5000))
        network.run(50)
      }
      expect(near.stats().mtu).toBe(1400 - 19)
      expect(near.maxUnreliableBytes).toBe(1400 - 19)
      const lost = network.seen.filter(({ bytes }) => bytes.length > 1410)
      // Nothing but probes was ever too large.
      expect(lost.every(({ bytes }) => bytes[0] === KIND.ping)).toBe(true)
    })

    test.each([
      { loss: 0, jitterMs: 0 },
      { loss: 0.1, jitterMs: 20 },
    ])(
      'falls back when the path becomes smaller, with what was in flight in halves: %o',
      async (faults) => {
        const { network, near, far } = await pair()
        const heard = new Heard(far)
        for (let i = 0; i < 40; i += 1) {
          near.send(message(5000))
          network.run(50)
        }
        expect(near.maxUnreliableBytes).toBe(1452 - 19)
        Object.assign(network.faults, { mtu: 1250, ...faults })
        for (let i = 0; i < 40; i += 1) near.send(message(5000))
        network.runUntil(() => heard.messages.length === 80, 20_000)
        expect(near.maxUnreliableBytes).toBe(1200 - 19)
        network.run(2000)
        near.send(message(5000))
        network.run(1000)
        expect(near.stats().mtu).toBe(1200 - 19)
        expect(heard.messages).toHaveLength(81)
      },
    )

    test('stays where it is when probing is off', async () => {
      const { network, near, far } = await pair({ near: { maxDatagramBytes: 1200 } })
      read(far)
      for (let i = 0; i < 40; i += 1) {
        near.send(message(5000))
        network.run(50)
      }
      expect(near.stats().mtu).toBe(1200 - 19)
    })
  })
})
