import { seededRandom } from '@rts/testing'
import { describe, expect, test } from 'vitest'
import type { KcpConnectOptions, KcpSession } from '../../src/index.ts'
import { soak } from '../support/soak.ts'
import { atEachStart, Heard, pair, read } from '../support/virtual-network.ts'

const message = (size: number, fill = size): Uint8Array => new Uint8Array(size).fill(fill & 0xff)

atEachStart(() => {
  describe('messages', () => {
    test('arrive whole, in order and once, of any size, both ways', async () => {
      const { network, near, far } = await pair({ far: { maxMessageBytes: 2 ** 20 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      near.maxMessageBytes = 2 ** 20
      const sizes = [0, 1, 127, 128, 1150, 1157, 1158, 16_383, 16_384, 65_536, 300_000, 2]
      for (const size of sizes) {
        near.send(message(size))
        far.send(message(size))
      }
      network.runUntil(
        () =>
          heardNear.messages.length === sizes.length && heardFar.messages.length === sizes.length,
      )
      for (const { messages } of [heardNear, heardFar])
        expect(messages.map(({ length }) => length)).toEqual(sizes)
      expect(
        heardFar.messages.every((got) => got.every((byte) => byte === (got.length & 0xff))),
      ).toBe(true)
    })

    test('are copied before send returns', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      const bytes = message(100, 1)
      near.send(bytes)
      bytes.fill(2)
      network.run(100)
      expect(heard.messages[0]).toEqual(message(100, 1))
    })

    test('of one turn share datagrams', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      const before = near.stats().datagramsOut
      for (let i = 0; i < 500; i += 1) near.send(message(20))
      network.run(100)
      expect(heard.messages).toHaveLength(500)
      expect(near.stats().datagramsOut - before).toBeLessThan(15)
    })

    test('wait until somebody reads, and the sender is slowed down', async () => {
      const { network, near, far } = await pair()
      let sent = 0
      while (near.send(message(5000)) && sent < 1000) {
        sent += 1
        network.run(5)
      }
      network.run(2000)
      const heard = new Heard(far)
      network.run(5000)
      expect(heard.messages).toHaveLength(sent + 1)
      expect(near.bufferedBytes).toBe(0)
    })

    test('stop while paused, and go on', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      far.pause()
      near.send(message(10))
      network.run(500)
      expect(heard.messages).toHaveLength(0)
      far.resume()
      network.run(50)
      expect(heard.messages).toHaveLength(1)
    })

    test('go to onMessage without a copy, with what was unreliable marked', async () => {
      const { network, near, far } = await pair()
      const got: [number, boolean][] = []
      far.onMessage = (bytes, unreliable) => got.push([bytes.length, unreliable])
      near.send(message(10))
      near.sendUnreliable(message(20))
      network.run(100)
      expect(got.toSorted()).toEqual([
        [10, false],
        [20, true],
      ])
    })

    test('send says false above a mark, drain follows, nothing is lost', async () => {
      const { network, near, far } = await pair()
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      let sent = 1
      while (near.send(message(10_000))) sent += 1
      network.runUntil(() => heardFar.messages.length === sent)
      expect(heardNear.drains).toBe(1)
      network.run(100)
      expect(near.bufferedBytes).toBe(0)
    })

    test('drain follows however much waits to be read meanwhile', async () => {
      const { network, near, far } = await pair()
      far.on('message', (bytes) => {
        if (!far.send(bytes)) far.pause()
      })
      far.on('drain', () => far.resume())
      const heard = new Heard(near)
      let sent = 0
      const feed = (): void => {
        while (sent < 2000 && near.send(message(4000, sent))) sent += 1
        if (sent < 2000) sent += 1
      }
      near.on('drain', feed)
      feed()
      network.runUntil(() => heard.messages.length === 2000)
      expect(heard.messages.every(([first], index) => first === (index & 0xff))).toBe(true)
    })

    test('one above the limit closes the session with a code, and it is not held', async () => {
      const { network, near, far } = await pair({ far: { maxMessageBytes: 1000 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      near.send(message(1000))
      near.send(message(1001))
      near.send(message(1))
      network.run(1000)
      expect(heardFar.messages.map(({ length }) => length)).toEqual([1000])
      expect(heardFar.closes[0]).toMatchObject({ code: 4413, by: 'local', error: 'KCP_TOO_LARGE' })
      expect(heardNear.closes[0]).toMatchObject({ code: 4413, by: 'peer' })
    })

    test('a sender that ignores false reaches its bound and is reset', async () => {
      const { network, near, far } = await pair({ near: { maxBufferedBytes: 100_000 } })
      const [heardNear, heardFar] = [new Heard(near), new Heard(far)]
      for (let i = 0; i < 12; i += 1) near.send(message(10_000))
      network.run(1000)
      expect(heardNear.closes[0]).toMatchObject({ code: 4429, error: 'KCP_SLOW_READER' })
      expect(heardFar.closes[0]).toMatchObject({ code: 1006, error: 'KCP_RESET' })
    })

    test('the bytes waiting in all sessions of a listener have a bound', async () => {
      const { far } = await pair({ far: { maxTotalBufferedBytes: 50_000 } })
      const heard = new Heard(far)
      for (let i = 0; i < 6; i += 1) far.send(message(10_000))
      expect(heard.closes[0]).toMatchObject({ code: 4429 })
    })

    test('writes and acknowledgements wait for the interval where that was chosen', async () => {
      const delayed: Partial<KcpConnectOptions> = { interval: 40, writeDelay: true }
      const { network, near, far } = await pair({ near: delayed })
      const heard = new Heard(far)
      network.run(100)
      let sent = near.stats().datagramsOut
      for (let i = 0; i < 30; i += 1) {
        near.send(message(10))
        network.run(1)
      }
      network.run(100)
      expect(near.stats().datagramsOut - sent).toBeLessThanOrEqual(2)
      expect(heard.messages).toHaveLength(30)
      near.setWriteDelay(false)
      sent = near.stats().datagramsOut
      for (let i = 0; i < 30; i += 1) {
        near.send(message(10))
        network.run(1)
      }
      expect(near.stats().datagramsOut - sent).toBe(30)
    })

    test('the normal profile acknowledges later than the fast one', async () => {
      const acksOf = async (profile: 'normal' | 'fast'): Promise<number> => {
        const { network, near, far } = await pair({ near: { profile }, far: { profile } })
        read(far)
        const before = far.stats().datagramsOut
        for (let i = 0; i < 100; i += 1) {
          near.send(message(10))
          network.run(10)
        }
        return far.stats().datagramsOut - before
      }
      expect(await acksOf('fast')).toBeGreaterThan(90)
      expect(await acksOf('normal')).toBeLessThan(40)
    })
  })

  describe('unreliable messages', () => {
    test('arrive when nothing is lost, up to a size, and are not sent again', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      expect(near.maxUnreliableBytes).toBe(1200 - 19)
      expect(near.sendUnreliable(message(near.maxUnreliableBytes))).toBe(true)
      expect(near.sendUnreliable(message(near.maxUnreliableBytes + 1))).toBe(false)
      network.run(20)
      network.faults.isCut = true
      expect(near.sendUnreliable(message(10))).toBe(true)
      network.run(20)
      network.faults.isCut = false
      network.run(1000)
      expect(heard.unreliable.map(({ length }) => length)).toEqual([1181])
    })

    test('one that the network doubles arrives once', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      network.faults.duplicate = 1
      for (let i = 0; i < 50; i += 1) near.sendUnreliable(message(10))
      network.run(100)
      expect(heard.unreliable).toHaveLength(50)
    })
  })

  describe('over bad lines', () => {
    test.each([1, 2, 3, 4])('messages are exact, seed %i', async (seed) => {
      const ends = await pair({ seed })
      const faults = { loss: 0.1, duplicate: 0.05, corrupt: 0.03, delayMs: 10, jitterMs: 20 }
      Object.assign(ends.network.faults, faults)
      let rebinds = 0
      const rebind = (): void => {
        rebinds += 1
        ends.network.rebind(
          rebinds % 2 === 1 ? '10.0.9.1' : '10.0.9.2',
          `10.0.9.${2 - (rebinds % 2 === 1 ? 0 : 1)}`,
        )
        ends.network.clock.setTimer(3000, rebind)
      }
      ends.network.clock.setTimer(1000, rebind)
      expect(await soak(ends, 4000, seed)).toBe(0)
      expect(rebinds).toBeGreaterThan(0)
      expect(ends.listener.counters().migrations).toBeGreaterThan(0)
      expect(ends.listener.counters().dropped.notAuthentic).toBeGreaterThan(0)
    })

    test('a silence of 8 s in the middle is survived', async () => {
      const ends = await pair()
      ends.network.clock.setTimer(500, () => (ends.network.faults.isCut = true))
      ends.network.clock.setTimer(8500, () => (ends.network.faults.isCut = false))
      expect(await soak(ends, 5000, 1)).toBe(0)
    })
  })

  describe('other shapes', () => {
    test('for await gives the messages until the close', async () => {
      const { network, near, far } = await pair()
      const got: number[] = []
      const reading = (async () => {
        for await (const bytes of far) got.push(bytes.length)
      })()
      for (let i = 1; i <= 300; i += 1) near.send(message(i))
      void near.close()
      await network.settle(reading)
      expect(got).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    })

    test('for await throws when the session is reset, and closes it when left', async () => {
      const reset = await pair()
      const reading = (async () => {
        for await (const _ of reset.far);
      })()
      reset.near.destroy()
      await expect(reset.network.settle(reading)).rejects.toMatchObject({ code: 'KCP_RESET' })
      const left = await pair()
      left.near.send(message(1))
      const leaving = (async () => {
        for await (const bytes of left.far) if (bytes.length === 1) break
      })()
      await left.network.settle(leaving)
      const heard = new Heard(left.near)
      left.network.run(500)
      expect(heard.closes).toMatchObject([{ code: 1000, by: 'peer' }])
    })

    test('asDuplex is a stream of bytes with back-pressure both ways', async () => {
      const { network, near, far } = await pair()
      const [a, b] = [near.asDuplex(), far.asDuplex()]
      b.pipe(b)
      const random = seededRandom(3)
      const sent = Buffer.from(random(700_000))
      const chunks: Buffer[] = []
      let arrived = 0
      const whole = new Promise<void>((resolve) => {
        a.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          arrived += chunk.length
          if (arrived === sent.length) resolve()
        })
      })
      a.write(sent)
      await network.settle(whole)
      expect(Buffer.concat(chunks).equals(sent)).toBe(true)
      const ended = new Promise((resolve) => {
        b.once('close', resolve)
      })
      a.end()
      await network.settle(ended)
      expect(near.isOpen).toBe(false)
    })

    test('await using closes', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(far)
      const use = async (session: KcpSession): Promise<void> => {
        await using used = session
        used.send(message(1))
      }
      await network.settle(use(near))
      expect(heard.messages).toHaveLength(1)
      expect(heard.closes).toMatchObject([{ code: 1000, by: 'peer' }])
    })

    test('the knobs of KCP are there under their names, and stats tell', async () => {
      const { network, near, far } = await pair()
      read(far)
      near.setNoDelay(0, 40, 0, false)
      near.setWindowSize(64, 64)
      near.setAckNoDelay(false)
      near.send(message(5000))
      network.run(300)
      const stats = near.stats()
      expect(stats).toMatchObject({ waitSnd: 0, bufferedBytes: 0, remoteWindow: 256 })
      expect(stats.rttMs).toBeGreaterThanOrEqual(10)
      expect(stats.segmentsOut).toBeGreaterThan(4)
    })

    test('the knobs turn what their names say', async () => {
      const { network, near, far } = await pair()
      read(far)
      near.send(message(10))
      network.run(200)
      near.setWindowSize(4)
      let sent = near.stats().segmentsOut
      near.send(message(60_000))
      // Less than the way there and back.
      network.run(8)
      expect(near.stats().segmentsOut - sent).toBe(4)
      network.run(1000)
      near.setWindowSize(32)
      sent = near.stats().segmentsOut
      near.send(message(60_000))
      network.run(8)
      expect(near.stats().segmentsOut - sent).toBe(32)
      network.run(1000)

      const acknowledgements = (): number => {
        const before = far.stats().datagramsOut
        for (let i = 0; i < 40; i += 1) {
          near.send(message(10))
          network.run(1)
        }
        network.run(100)
        return far.stats().datagramsOut - before
      }
      expect(acknowledgements()).toBeGreaterThanOrEqual(40)
      far.setAckNoDelay(false)
      expect(acknowledgements()).toBeLessThan(8)
      far.setAckNoDelay(true)

      expect(near.stats().rtoMs).toBeLessThan(100)
      near.setNoDelay(0)
      near.send(message(10))
      network.run(200)
      expect(near.stats().rtoMs).toBe(100)
      near.setNoDelay(1, 300)
      near.send(message(10))
      network.run(500)
      expect(near.stats().rtoMs).toBeGreaterThanOrEqual(300)
    })

    test('options out of range are refused by name', async () => {
      const bad: [string, unknown][] = [
        ['sndWnd', 0],
        ['rcvWnd', 40_000],
        ['maxDatagramBytes', 1000],
        ['idleTimeoutMs', 1],
        ['maxMessageBytes', 2 ** 28],
        ['profile', 'turbo'],
        ['initialSn', -1],
      ]
      for (const [field, value] of bad) {
        const failure = pair({ near: { [field]: value } })
        await expect(failure).rejects.toThrow(new RegExp(field))
        await expect(failure).rejects.toBeInstanceOf(RangeError)
      }
    })
  })
})
