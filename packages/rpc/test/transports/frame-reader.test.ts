import { seededRandom, SteppedClock } from '@rts/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock, type Clock } from '../../src/clock.ts'
import { FrameReader, type FrameSink } from '../../src/transports/frame-reader.ts'
import { hex, unhex } from '../support.ts'

class Sink implements FrameSink {
  maxMessageBytes = 1_000_000
  isOpen = true
  readonly frames: Uint8Array[] = []
  readonly closes: Uint8Array[] = []
  readonly behind: boolean[] = []
  tooLarge: number | undefined
  onFrame(bytes: Uint8Array, start: number, end: number): void {
    this.frames.push(bytes.slice(start, end))
  }
  onCloseFrame(body: Uint8Array): void {
    this.closes.push(body.slice())
    this.isOpen = false
  }
  onTooLarge(bytes: number): void {
    this.tooLarge = bytes
    this.isOpen = false
  }
  onBehind(isBehind: boolean): void {
    this.behind.push(isBehind)
  }
}

function stream(messages: readonly Uint8Array[]): Uint8Array {
  const parts = messages.flatMap((message) => {
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, message.length, true)
    return [length, message]
  })
  return Buffer.concat(parts)
}

function read(chunks: readonly Uint8Array[], clock: Clock = systemClock): Sink {
  const sink = new Sink()
  const reader = new FrameReader(clock, sink)
  for (const chunk of chunks) reader.push(chunk)
  return sink
}

// Slicing by time has its own test: here the clock stands still.
const still: Clock = { ...systemClock, now: () => 0 }

test('gives the same messages however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (messages, cuts) => {
        const bytes = stream(messages)
        const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
        const chunks = [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
        const sink = read(chunks, still)
        expect(sink.frames.map(hex)).toEqual(messages.map(hex))
      },
    ),
    { numRuns: 300, seed: 3 },
  )
})

test('gives the same messages when they come byte by byte', () => {
  const messages = [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(5000).fill(7)]
  const bytes = stream(messages)
  const sink = read(
    Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
    still,
  )
  expect(sink.frames.map(hex)).toEqual(messages.map(hex))
})

test('a length above the limit is refused from its four bytes, before anything is buffered', () => {
  const sink = new Sink()
  sink.maxMessageBytes = 16
  const before = process.memoryUsage().arrayBuffers
  new FrameReader(still, sink).push(unhex('00 00 00 06 61'))
  expect(sink.tooLarge).toBe(100_663_296)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
})

test('a large message takes memory as it arrives, not as it is announced', () => {
  const sink = new Sink()
  sink.maxMessageBytes = 64 * 1024 * 1024
  const reader = new FrameReader(still, sink)
  const before = process.memoryUsage().arrayBuffers
  reader.push(unhex('00 00 00 03 61 62'))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
})

test('the mark of a close hands out what follows it, and nothing after that', () => {
  const bytes = Buffer.concat([
    stream([Uint8Array.of(5)]),
    unhex('ff ff ff ff 04 00 00 00 a0 0f 6f 6b'),
    stream([Uint8Array.of(6)]),
  ])
  const sink = read([bytes], still)
  expect(sink.frames.map(hex)).toEqual(['05'])
  expect(sink.closes.map(hex)).toEqual(['a0 0f 6f 6b'])
  expect(read([unhex('ff ff ff ff ff ff ff ff')], still).tooLarge).toBe(0xffffffff)
})

test('reading stops as soon as the sink is closed', () => {
  const sink = new Sink()
  sink.onFrame = (bytes, start, end) => {
    sink.frames.push(bytes.slice(start, end))
    sink.isOpen = false
  }
  new FrameReader(still, sink).push(stream([Uint8Array.of(1), Uint8Array.of(2)]))
  expect(sink.frames.map(hex)).toEqual(['01'])
})

test('a limit that changes while reading holds for the next message', () => {
  const sink = new Sink()
  sink.maxMessageBytes = 4
  sink.onFrame = (bytes, start, end) => {
    sink.frames.push(bytes.slice(start, end))
    sink.maxMessageBytes = 100
  }
  new FrameReader(still, sink).push(stream([Uint8Array.of(1), new Uint8Array(50)]))
  expect(sink.frames.map((frame) => frame.length)).toEqual([1, 50])
})

test('a slice of about a millisecond yields; the rest follows in order', async () => {
  const stepped = new SteppedClock()
  let reads = 0
  // Each look at the clock costs half a millisecond.
  const clock: Clock = {
    now: () => (reads += 0.5),
    wall: () => 0,
    setTimer: (delay, fn) => stepped.setTimer(delay, fn),
    defer: (fn) => stepped.defer(fn),
  }
  const sink = new Sink()
  const reader = new FrameReader(clock, sink)
  const messages = Array.from({ length: 500 }, (_, i) => Uint8Array.of(i, i >> 8))
  const bytes = stream(messages)
  reader.push(bytes.subarray(0, 1501))
  expect(sink.frames.length).toBeLessThan(100)
  expect([reader.isBehind, sink.behind]).toEqual([true, [true]])
  reader.push(bytes.subarray(1501))
  await stepped.settle()
  expect(sink.frames.map(hex)).toEqual(messages.map(hex))
  expect([reader.isBehind, sink.behind]).toEqual([false, [true, false]])
})

test('any bytes at all: messages, a refusal, or waiting for more', () => {
  const random = seededRandom(9)
  for (let round = 0; round < 2000; round++) {
    const sink = new Sink()
    sink.maxMessageBytes = 64
    const reader = new FrameReader(still, sink)
    let total = 0
    for (let i = random.int(6); i >= 0; i--) {
      const chunk = random(random.int(40))
      if (random.chance(0.5) && chunk.length >= 4) chunk.set([random.int(70), 0, 0, 0])
      total += chunk.length
      reader.push(chunk)
    }
    const read = sink.frames.reduce((sum, frame) => sum + frame.length + 4, 0)
    expect(read).toBeLessThanOrEqual(total)
  }
})
