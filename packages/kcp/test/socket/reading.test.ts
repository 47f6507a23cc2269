import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { KcpSession } from '../../src/index.ts'
import { atEachStart, Heard, pair, type Pair, read } from '../support/virtual-network.ts'

const message = (size: number, fill = size): Uint8Array => new Uint8Array(size).fill(fill & 0xff)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const sendAll = (session: KcpSession, count: number): void => {
  for (let i = 0; i < count; i += 1) session.send(message(100, i))
}
/** Runs what is thrown to the event loop, as a process does that lives on after an uncaught exception. */
function surviving({ network }: Pair, ms: number): string[] {
  const thrown: string[] = []
  const end = network.time.now() + ms
  while (network.time.now() < end) {
    try {
      network.time.run(end)
    } catch (error) {
      thrown.push((error as Error).message)
    }
  }
  return thrown
}

atEachStart(() => {
  describe('no message goes to nobody', () => {
    test('when the last listener takes itself off, the next gets what comes behind', async () => {
      const { network, near, far } = await pair()
      const got: number[] = []
      sendAll(near, 6)
      const off = far.on('message', ([first]) => {
        got.push(first!)
        off()
      })
      network.run(100)
      sendAll(near, 3)
      network.run(1000)
      expect(got).toEqual([0])
      far.onMessage = ([first]) => {
        got.push(first!)
        if (got.length === 4) far.onMessage = undefined
      }
      network.run(100)
      expect(got).toEqual([0, 1, 2, 3])
      far.on('message', ([first]) => got.push(first!))
      network.run(100)
      expect(got).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2])
    })

    test('pause in a listener takes effect with the next message', async () => {
      const { network, near, far } = await pair()
      const got: number[] = []
      far.on('message', ([first]) => {
        got.push(first!)
        far.pause()
      })
      sendAll(near, 50)
      for (let i = 1; i <= 50; i += 1) {
        network.run(10)
        expect(got).toEqual(upTo(i))
        far.resume()
      }
    })

    test('a listener that throws loses nobody else a message, nor the session its timers', async () => {
      const ends = await pair()
      const { network, near, far } = ends
      const got: number[] = []
      far.on('message', ([first]) => {
        got.push(first!)
        if (first! % 3 === 0) throw new Error(`at ${first}`)
      })
      sendAll(near, 10)
      expect(surviving(ends, 200)).toEqual(['at 0', 'at 3', 'at 6', 'at 9'])
      expect(got).toEqual(upTo(10))
      expect(near.bufferedBytes).toBe(0)

      let drains = 0
      near.on('drain', () => {
        drains += 1
        throw new Error('drain')
      })
      const heard = new Heard(far)
      let sent = 1
      while (near.send(message(5000, 1))) sent += 1
      network.faults.loss = 0.2
      expect(surviving(ends, 20_000)).toContain('drain')
      expect([drains, near.bufferedBytes, heard.messages.length]).toEqual([1, 0, sent])
    })

    test('listeners that come while an event is told hear the next one; an undo takes back one', async () => {
      const { network, near, far } = await pair()
      const got: string[] = []
      const twice = (): void => void got.push('twice')
      const undo = far.on('message', twice)
      far.on('message', twice)
      far.on('message', () => {
        if (got.length < 100) far.on('message', () => got.push('late'))
      })
      near.send(message(1))
      network.run(100)
      expect(got).toEqual(['twice', 'twice'])
      undo()
      undo()
      near.send(message(1))
      network.run(100)
      expect(got).toEqual(['twice', 'twice', 'twice', 'late'])
    })

    test('a reader that is replaced while it is called has that message, the next has the rest', async () => {
      const { network, near, far } = await pair()
      const got: string[] = []
      far.onMessage = ([first]) => {
        got.push(`first ${first}`)
        far.onMessage = undefined
        far.on('message', ([byte]) => got.push(`next ${byte}`))
      }
      sendAll(near, 3)
      network.run(100)
      expect(got).toEqual(['first 0', 'next 1', 'next 2'])
    })

    test('nothing follows the end, and all who listen for it hear of it', async () => {
      const ends = await pair()
      const { near, far } = ends
      const got: string[] = []
      far.on('message', () => far.destroy())
      far.on('message', () => got.push('message'))
      far.on('close', () => {
        throw new Error('owner')
      })
      far.on('close', () => got.push('close'))
      near.send(message(1))
      expect(surviving(ends, 100)).toEqual(['owner'])
      expect(got).toEqual(['close'])
    })

    test('a window that is made larger is told at once', async () => {
      const { network, near, far } = await pair({ far: { rcvWnd: 4 } })
      far.pause()
      for (let i = 0; i < 30; i += 1) near.send(message(1000))
      network.run(400)
      const before = far.stats().segmentsIn
      far.setWindowSize(0, 64)
      network.run(100)
      expect(far.stats().segmentsIn - before).toBeGreaterThan(10)
    })

    test('what is received and not read has a bound for all sessions, and who holds least is spared', async () => {
      const { network, near, far } = await pair({ far: { maxTotalBufferedBytes: 50_000 } })
      const heard = new Heard(near)
      expect(far.isOpen).toBe(true)
      for (let i = 0; i < 20; i += 1) near.send(message(5000))
      network.run(1000)
      expect(heard.closes).toMatchObject([{ error: 'KCP_RESET' }])
      expect(far.closeInfo).toMatchObject({ code: 4429, error: { code: 'KCP_SLOW_READER' } })
    })
  })

  describe('for await', () => {
    test('gives all that was sent before a close, however slow the loop is', async () => {
      const { network, near, far } = await pair()
      sendAll(near, 200)
      void near.close()
      network.run(1000)
      const got: number[] = []
      const reading = (async () => {
        for await (const [first] of far) {
          got.push(first!)
          network.run(20)
        }
      })()
      await network.settle(reading)
      expect(got).toEqual(upTo(200))
    })

    test('throws when the session was destroyed here', async () => {
      const { network, far } = await pair()
      const iterator = far[Symbol.asyncIterator]()
      const next = iterator.next()
      far.destroy()
      await expect(network.settle(next)).rejects.toMatchObject({ code: 'KCP_CLOSED' })
      expect(await iterator.next()).toEqual({ value: undefined, done: true })
    })

    test('is left at once, also while it waits', async () => {
      const { network, near, far } = await pair()
      const heard = new Heard(near)
      const iterator = far[Symbol.asyncIterator]()
      const next = iterator.next()
      await iterator.return!()
      expect(await next).toEqual({ value: undefined, done: true })
      network.run(500)
      expect(heard.closes).toMatchObject([{ code: 1000, by: 'peer' }])
    })
  })

  describe('asDuplex', () => {
    test('gives all that was sent before a close, however slow the reader is', async () => {
      const { network, near, far } = await pair()
      const duplex = far.asDuplex()
      for (let i = 0; i < 25; i += 1) near.send(message(10_000))
      await network.settle(near.close())
      let bytes = 0
      const reading = (async () => {
        for await (const chunk of duplex) {
          bytes += (chunk as Uint8Array).length
          network.run(20)
        }
      })()
      await network.settle(reading)
      expect(bytes).toBe(250_000)
    })

    test('takes a write larger than all that may wait', async () => {
      const { network, near, far } = await pair({ near: { maxBufferedBytes: 100_000 } })
      let bytes = 0
      far.onMessage = ({ length }) => (bytes += length)
      const duplex = near.asDuplex()
      const written = new Promise<void>((resolve, reject) => {
        duplex.write(message(3_000_000), (error) => (error ? reject(error) : resolve()))
      })
      await network.settle(written)
      network.run(1000)
      expect([bytes, near.isOpen]).toEqual([3_000_000, true])
    })

    test.each(['closes', 'is destroyed'])(
      'a write that waits fails, and a pipeline settles, when the other end %s',
      async (how) => {
        const { network, near, far } = await pair()
        const done = pipeline(Readable.from([message(5_000_000)]), near.asDuplex())
        done.catch(() => {})
        await network.settle(Promise.resolve())
        network.run(500)
        if (how === 'closes') void far.close()
        else far.destroy()
        await expect(network.settle(done)).rejects.toMatchObject({
          code: how === 'closes' ? 'KCP_CLOSED' : 'KCP_RESET',
        })
      },
    )

    test('of a session that was destroyed here ends with that error', async () => {
      const { network, near } = await pair()
      const duplex = near.asDuplex()
      const failed = new Promise((resolve) => {
        duplex.on('error', resolve)
      })
      near.destroy()
      expect(await network.settle(failed)).toMatchObject({ code: 'KCP_CLOSED' })
    })

    test('of a session that has ended ends too', async () => {
      const { network, near, far } = await pair()
      read(far)
      await network.settle(near.close())
      const chunks: unknown[] = []
      const reading = (async () => {
        for await (const chunk of near.asDuplex()) chunks.push(chunk)
      })()
      await network.settle(reading)
      network.run(100)
      far.destroy()
      expect(chunks).toEqual([])
    })

    test('may be ended while the session is closing', async () => {
      const { network, near, far } = await pair()
      read(far)
      const duplex = near.asDuplex()
      const ended = new Promise((resolve) => {
        duplex.resume().on('close', resolve)
      })
      void near.close()
      duplex.end()
      await network.settle(ended)
      expect(near.closeInfo).toMatchObject({ code: 1000, by: 'local' })
    })

    test('fails to end when not all was delivered', async () => {
      const { network, near } = await pair({ near: { closeTimeoutMs: 500 } })
      network.faults.isCut = true
      const done = pipeline(Readable.from([message(1000)]), near.asDuplex())
      await expect(network.settle(done)).rejects.toMatchObject({ code: 'KCP_TIMEOUT' })
    })
  })

  test('bounds and codes out of range are refused', async () => {
    const { near } = await pair()
    for (const value of [Number.NaN, 0, -1, 1.5]) {
      expect(() => (near.maxMessageBytes = value)).toThrow(RangeError)
      expect(() => (near.maxBufferedBytes = value)).toThrow(RangeError)
    }
    for (const code of [Number.NaN, -1, 70_000]) {
      expect(() => near.close(code)).toThrow(RangeError)
      expect(() => near.destroy(code)).toThrow(RangeError)
    }
    expect(near.isOpen).toBe(true)
  })
})
