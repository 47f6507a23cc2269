import { describe, expect, test } from 'vitest'
import type { DatagramSocket, DatagramSocketOptions } from '../../src/index.ts'
import {
  atEachStart,
  connecting,
  Heard,
  listening,
  pair,
  read,
  VirtualNetwork,
} from '../support/virtual-network.ts'

const message = (size: number, fill = size): Uint8Array => new Uint8Array(size).fill(fill & 0xff)
const bytesOf = (heard: Heard): number =>
  heard.messages.reduce((sum, { length }) => sum + length, 0)

atEachStart(() => {
  describe('closing', () => {
    test('delivers what was sent, then tells code and reason at both ends, once', async () => {
      const { network, near, far, listener } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      Object.assign(network.faults, { loss: 0.3, duplicate: 0.3, jitterMs: 20 })
      for (let i = 0; i < 100; i += 1) near.send(message(1000))
      const closed = near.close(4123, 'enough')
      expect(near.send(message(1))).toBe(false)
      expect(near.close(4999, 'twice')).toBe(closed)
      await network.settle(closed)
      network.run(2000)
      expect(bytesOf(heardFar)).toBe(100_000)
      expect(heardNear.closes).toEqual([{ code: 4123, reason: 'enough', by: 'local' }])
      expect(heardFar.closes).toEqual([{ code: 4123, reason: 'enough', by: 'peer' }])
      expect(far.send(message(1))).toBe(false)
      expect(listener.sessionCount).toBe(0)
      expect(near.closeInfo).toMatchObject({ code: 4123 })
    })

    test('both ends at once is a close at both', async () => {
      const { network, near, far } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      const both = Promise.all([near.close(4001, 'a'), far.close(4002, 'b')])
      await network.settle(both)
      expect(heardNear.closes).toHaveLength(1)
      expect(heardFar.closes).toHaveLength(1)
    })

    test('ends within closeTimeoutMs when the other end is gone', async () => {
      const { network, near } = await pair({ near: { closeTimeoutMs: 700 } })
      network.faults.isCut = true
      near.send(message(10))
      const began = network.time.now()
      await network.settle(near.close())
      expect(network.time.now() - began).toBeLessThan(800)
    })

    test('destroy gives up what was not delivered, and tells that', async () => {
      const { network, near, far } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      near.destroy(4007, 'no more')
      expect(heardNear.closes).toEqual([
        { code: 4007, reason: 'no more', by: 'local', error: 'KCP_CLOSED' },
      ])
      network.run(100)
      expect(heardFar.closes).toMatchObject([{ code: 1006, by: 'peer', error: 'KCP_RESET' }])
    })

    test('an end that has not noticed is told when it speaks, a few times, with no more than it sent', async () => {
      const { network, near, far, listener } = await pair()
      const heard = new Heard(near)
      network.faults.isCut = true
      far.destroy()
      network.run(100)
      network.faults.isCut = false
      network.isRecording = true
      near.send(message(100))
      network.runUntil(() => heard.closes.length === 1)
      expect(heard.closes[0]).toMatchObject({ error: 'KCP_RESET' })
      const { to, bytes } = network.seen.find(({ from }) => from === `${near.remoteAddress} 7000`)!
      const request = network.seen[0]!
      expect(bytes.length).toBeLessThanOrEqual(request.bytes.length)
      const before = network.seen.length
      for (let i = 0; i < 20; i += 1) network.inject(to, '10.0.0.1 7000', request.bytes.slice())
      expect(network.seen.length - before).toBe(2)
      expect(listener.counters().dropped.closedConv).toBe(21)
    })

    test('an end whose address changed as the other ended is told as well', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(near)
      network.run(500)
      network.faults.isCut = true
      far.destroy()
      network.run(100)
      network.faults.isCut = false
      network.rebind('10.0.9.1', '10.0.9.2')
      near.send(message(100))
      network.run(500)
      expect(heard.closes).toMatchObject([{ error: 'KCP_RESET' }])
    })

    test('a reader who was paused still gets all of it, and then the end', async () => {
      const { network, near, far, listener } = await pair()
      const heard = new Heard(far)
      far.pause()
      for (let i = 0; i < 50; i += 1) near.send(message(3000))
      await network.settle(near.close(4123, 'enough'))
      network.run(5000)
      expect([far.isOpen, far.closeInfo, heard.messages]).toEqual([false, undefined, []])
      far.resume()
      network.run(100)
      expect(bytesOf(heard)).toBe(150_000)
      expect(heard.closes).toEqual([{ code: 4123, reason: 'enough', by: 'peer' }])
      expect(listener.sessionCount).toBe(0)
    })

    test('who listens only after the other end has closed gets all of it too', async () => {
      const { network, near, far } = await pair()
      near.send(message(10))
      near.send(message(20))
      await network.settle(near.close())
      network.run(1000)
      const heard = new Heard(far)
      network.run(10)
      expect(heard.messages.map(({ length }) => length)).toEqual([10, 20])
      expect(heard.closes).toMatchObject([{ code: 1000, by: 'peer' }])
    })

    test('what nobody reads after the other end has closed is given up, with a code', async () => {
      const { network, near, far, listener } = await pair({ far: { idleTimeoutMs: 5000 } })
      const ends: unknown[] = []
      far.on('close', ({ code, by, error }) => ends.push([code, by, error?.code]))
      near.send(message(10))
      await network.settle(near.close())
      network.run(4000)
      expect([ends, listener.sessionCount]).toEqual([[], 1])
      network.run(2000)
      expect([ends, listener.sessionCount]).toEqual([[[4429, 'local', 'KCP_SLOW_READER']], 0])
    })

    test('who closes as well, or destroys, while something is unread ends at once', async () => {
      for (const end of ['close', 'destroy'] as const) {
        const { network, near, far } = await pair()
        const heard = new Heard(far)
        far.pause()
        near.send(message(10))
        await network.settle(near.close(4123))
        network.run(100)
        void far[end]()
        expect(heard.closes).toMatchObject([end === 'close' ? { code: 4123 } : { code: 1006 }])
        expect(heard.messages).toEqual([])
      }
    })

    test('a message too large that is found only then ends with its code', async () => {
      const { network, near, far } = await pair({ far: { maxMessageBytes: 1000 } })
      const heard = new Heard(far)
      far.pause()
      for (const size of [10, 5000, 20]) near.send(message(size))
      await network.settle(near.close())
      network.run(100)
      far.resume()
      network.run(100)
      expect(heard.messages.map(({ length }) => length)).toEqual([10])
      expect(heard.closes).toMatchObject([{ code: 4413, by: 'local', error: 'KCP_TOO_LARGE' }])
    })

    test('of both ends at once is no success for the one that had more to deliver', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(near)
      far.pause()
      for (let i = 0; i < 100; i += 1) near.send(message(5000))
      network.run(1000)
      await network.settle(Promise.all([near.close(4001), far.close(4002)]))
      expect(heard.closes).toMatchObject([{ code: 1006, error: 'KCP_TIMEOUT' }])
    })

    test('is no success when not all was delivered in time', async () => {
      const { network, near, far } = await pair({ near: { closeTimeoutMs: 700 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      network.faults.isCut = true
      near.send(message(10))
      await network.settle(near.close(4123, 'enough'))
      expect(heardNear.closes).toMatchObject([{ code: 1006, by: 'network', error: 'KCP_TIMEOUT' }])
      network.faults.isCut = false
      near.destroy()
      network.run(60_000)
      expect(heardFar.closes).toMatchObject([{ code: 1006 }])
    })

    test.each([0, 1, 150])(
      'ends within %i ms when it may take no longer',
      async (closeTimeoutMs) => {
        const { network, near, far } = await pair({ near: { closeTimeoutMs } })
        const heard = new Heard(far)
        read(near)
        network.run(100)
        network.isRecording = true
        const began = network.time.now()
        await network.settle(near.close(4123))
        expect(network.time.now() - began).toBeLessThanOrEqual(closeTimeoutMs + 2)
        network.run(100)
        expect(heard.closes).toMatchObject([{ code: 4123, by: 'peer' }])
        expect(network.seen.length, 'it asks, and waits, and does not spin').toBeLessThan(6)
      },
    )

    test('a listener that closes tells its clients, and then its port is free', async () => {
      const { network, near, listener } = await pair()
      const heard = new Heard(near)
      await network.settle(Promise.all([listener.close(), listener.close()]))
      network.run(100)
      expect(heard.closes).toEqual([{ code: 1001, reason: 'going away', by: 'peer' }])
    })

    test('a listener that closes tells a client that it has just let in', async () => {
      const network = new VirtualNetwork()
      let sessions = 0
      const listener = await listening(network, {}, () => (sessions += 1))
      const near = await connecting(network)
      const heard = new Heard(near)
      expect(sessions).toBe(0)
      await network.settle(listener.close())
      network.run(100)
      expect(heard.closes).toMatchObject([{ code: 1006, by: 'peer', error: 'KCP_RESET' }])
    })

    test('a listener may close and keep its sessions', async () => {
      const { network, near, far, listener } = await pair()
      const heard = new Heard(far)
      await listener.close({ sessions: 'keep' })
      near.send(message(10))
      network.run(100)
      expect(heard.messages).toHaveLength(1)
      await network.settle(near.close())
    })
  })

  describe('time', () => {
    test('a silent session lives by keepalives, and costs little', async () => {
      const { network, near, far } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      network.run(2000)
      network.isRecording = true
      network.run(600_000)
      expect([...heardNear.closes, ...heardFar.closes]).toEqual([])
      // A question and an answer every 15 s, a little later for sharing a timer.
      expect(network.seen.length).toBeGreaterThanOrEqual(2 * 39)
      expect(network.seen.length).toBeLessThanOrEqual(2 * 40)
      expect(network.seen.every(({ bytes }) => bytes.length < 30)).toBe(true)
    })

    test('an end that is gone is noticed after idleTimeoutMs, the smaller of both', async () => {
      const { network, near, far } = await pair({ near: { idleTimeoutMs: 4000 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      network.run(1000)
      network.faults.isCut = true
      const began = network.time.now()
      network.run(60_000)
      for (const { closes } of [heardNear, heardFar])
        expect(closes).toMatchObject([{ code: 1006, by: 'network', error: 'KCP_TIMEOUT' }])
      expect(network.time.now() - began).toBe(60_000)
    })

    test('one lost datagram costs no session, however short its idle timeout is', async () => {
      const { network, near, far } = await pair({ near: { idleTimeoutMs: 3000 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      network.isRecording = true
      for (let round = 0; round < 20; round += 1) {
        const before = network.seen.length
        network.runUntil(() => network.seen.length > before)
        // The question is on its way, and its answer will be lost.
        network.run(4)
        network.faults.isCut = true
        network.run(4)
        network.faults.isCut = false
        network.run(500)
      }
      expect([...heardNear.closes, ...heardFar.closes]).toEqual([])
    })

    test('a flow that stood still for long goes on soon, though it was not told that it may', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      far.pause()
      for (let i = 0; i < 160; i += 1) near.send(message(5000))
      network.run(600_000)
      network.faults.isCut = true
      far.resume()
      network.run(10)
      network.faults.isCut = false
      const before = heard.messages.length
      network.run(2500)
      expect(heard.messages.length).toBeGreaterThan(before)
      network.run(5000)
      expect(near.bufferedBytes).toBe(0)
    })

    test('a refusal that nobody sent ends no session on a slow path, one that is true does', async () => {
      const network = new VirtualNetwork()
      network.faults.delayMs = 450
      let socket: DatagramSocket | undefined
      const openSocket = (options: DatagramSocketOptions): Promise<DatagramSocket> =>
        Promise.resolve((socket = network.open('10.0.9.1', options)))
      const { near } = await pair({ network, near: { openSocket } })
      const heard = new Heard(near)
      network.run(2000)
      near.sendUnreliable(message(10))
      const refuse = (): void =>
        socket!.onError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
      refuse()
      network.run(10_000)
      expect(heard.closes).toEqual([])
      network.faults.isCut = true
      refuse()
      network.run(3000)
      expect(heard.closes).toMatchObject([{ code: 1006, error: 'KCP_RESET' }])
    })

    test('a client looks whether the path still works when the other end falls silent', async () => {
      const { network, near, far } = await pair()
      read(near)
      for (let i = 0; i < 10; i += 1) {
        far.send(message(10))
        network.run(100)
      }
      network.isRecording = true
      network.run(1600)
      expect(network.seen.filter(({ from }) => from.startsWith('10.0.9.1'))).toHaveLength(1)
    })
  })
})
