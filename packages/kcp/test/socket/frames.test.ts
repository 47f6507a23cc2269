import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteQueue } from '../../src/socket/byte-queue.ts'
import { FrameReader, writePrefix, type FrameSink } from '../../src/socket/frames.ts'

class Sink implements FrameSink {
  readonly frames: Uint8Array[] = []
  readonly problems: string[] = []
  maxMessageBytes = 2 ** 20
  isReading = true
  /** Called with how many have come. */
  onCount: (count: number) => void = () => {}

  onFrame(bytes: Uint8Array): void {
    this.frames.push(new Uint8Array(bytes))
    this.onCount(this.frames.length)
  }
  onBadFrame(problem: string): void {
    this.problems.push(problem)
  }
}

function encode(messages: readonly Uint8Array[]): Uint8Array {
  const parts = messages.flatMap((message) => {
    const prefix = new Uint8Array(4)
    return [prefix.subarray(0, writePrefix(prefix, 0, message.length)), message]
  })
  return Buffer.concat(parts)
}

test('messages come out as they went in, however the stream is cut', () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 5 }),
    fc.uint8Array({ minLength: 120, maxLength: 140 }),
    fc.integer({ min: 16_380, max: 20_000 }).map((size) => new Uint8Array(size).fill(size)),
  )
  const cuts = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(message), cuts, (messages, sizes) => {
      const bytes = encode(messages)
      const sink = new Sink()
      const reader = new FrameReader()
      for (let at = 0, i = 0; at < bytes.length; i += 1) {
        const end = Math.min(bytes.length, at + sizes[i % sizes.length]!)
        reader.push(bytes, at, end, sink)
        at = end
      }
      expect(sink.frames).toEqual(messages.map((each) => new Uint8Array(each)))
      expect([sink.problems, reader.heldBytes]).toEqual([[], 0])
    }),
    { numRuns: 200 },
  )
})

test('a sink that stops, or throws, gets each message once, from where it stopped', () => {
  const stops = fc.array(fc.constantFrom('stop', 'throw', 'go on'), { minLength: 1 })
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }))
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 })
  fc.assert(
    fc.property(messages, cuts, stops, (list, sizes, kinds) => {
      const bytes = encode(list)
      const sink = new Sink()
      const reader = new FrameReader()
      sink.onCount = (count) => {
        const kind = kinds[count % kinds.length]
        if (kind === 'stop') sink.isReading = false
        if (kind === 'throw') throw new Error('sink')
      }
      const tryTo = (read: () => void): void => {
        sink.isReading = true
        try {
          read()
        } catch (error) {
          expect(error).toMatchObject({ message: 'sink' })
        }
      }
      for (let at = 0, i = 0; at < bytes.length; i += 1) {
        const end = Math.min(bytes.length, at + sizes[i % sizes.length]!)
        tryTo(() => reader.push(bytes, at, end, sink))
        while (reader.restBytes > 0) tryTo(() => reader.pushRest(sink))
        at = end
      }
      expect(sink.frames).toEqual(list.map((each) => new Uint8Array(each)))
      expect(reader.heldBytes).toBe(0)
    }),
    { numRuns: 300 },
  )
})

test('any bytes give messages or one problem, and no more memory than came', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
      const sink = new Sink()
      const reader = new FrameReader()
      let came = 0
      for (const chunk of chunks) {
        came += chunk.length
        reader.push(chunk, 0, chunk.length, sink)
        expect(reader.heldBytes).toBeLessThanOrEqual(2 * came + 4096)
      }
      expect(sink.problems.length).toBeLessThanOrEqual(1)
    }),
    { numRuns: 500 },
  )
})

test('a length above the limit is refused before its bytes come; a prefix without end too', () => {
  const sink = new Sink()
  sink.maxMessageBytes = 1000
  const large = new Uint8Array(4)
  new FrameReader().push(large, 0, writePrefix(large, 0, 1001), sink)
  new FrameReader().push(new Uint8Array(4).fill(0xff), 0, 4, sink)
  expect(sink.problems).toEqual(['tooLarge', 'malformed'])
})

test('a queue gives back what it was given, in order, whatever is taken at a time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40_000, size: 'xlarge' }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1 }),
      (pushes, takes) => {
        const queue = new ByteQueue()
        const got: Uint8Array[] = []
        for (const [i, bytes] of pushes.entries()) {
          queue.push(bytes, 0, bytes.length)
          queue.drain((slab, from, end) => {
            const size = Math.min(end - from, takes[i % takes.length]!)
            got.push(slab.slice(from, from + size))
            return size
          })
        }
        queue.drain((slab, from, end) => {
          got.push(slab.slice(from, end))
          return end - from
        })
        expect(queue.size).toBe(0)
        expect(Buffer.concat(got).equals(Buffer.concat(pushes))).toBe(true)
      },
    ),
    { numRuns: 100 },
  )
})
