import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { FrameReader, type FrameSink } from '../../src/transports/frame-reader.ts'

/** Handling a message takes this long. */
const MESSAGE_MS = 0.01

class Busy {
  readonly stepped = new SteppedClock()
  nowMs = 0
  readonly log: string[] = []
  readonly clock: Clock = {
    now: () => this.nowMs,
    wall: () => 0,
    setTimer: (delay, fn) => this.stepped.setTimer(delay, fn),
    defer: (fn) => this.stepped.defer(fn),
  }

  reader(name: string): FrameReader {
    const sink: FrameSink = {
      maxMessageBytes: 100,
      isOpen: true,
      onFrame: () => {
        this.nowMs += MESSAGE_MS
        this.log.push(name)
      },
      onCloseFrame() {},
      onTooLarge() {},
      onBehind() {},
    }
    return new FrameReader(this.clock, sink)
  }
}

const messages = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count * 5)
  for (let i = 0; i < count; i++) bytes[i * 5] = 1
  return bytes
}

test('all links together parse for about a millisecond in one turn, whatever each of them has', async () => {
  const busy = new Busy()
  const turns: number[] = []
  const readers = Array.from({ length: 20 }, (_, i) => busy.reader(String(i)))
  let last = 0
  const watch = (): void => {
    turns.push(busy.nowMs - last)
    last = busy.nowMs
    if (readers.some((reader) => reader.isBehind)) busy.stepped.defer(watch)
  }
  for (const reader of readers) reader.push(messages(500))
  busy.stepped.defer(watch)
  await busy.stepped.settle()
  expect(busy.log).toHaveLength(20 * 500)
  // Of each link the first 16 messages are read at any time.
  // The first one saw all the links begin, too.
  for (const turn of turns.slice(1)) expect(turn).toBeLessThan(1 + 20 * 16 * MESSAGE_MS + 0.01)
})

test('a link with little to say is read at once beside one that floods', async () => {
  const busy = new Busy()
  const flood = busy.reader('flood')
  const quiet = busy.reader('quiet')
  flood.push(messages(1000))
  expect(flood.isBehind).toBe(true)
  const before = busy.nowMs
  quiet.push(messages(3))
  expect(busy.log.filter((name) => name === 'quiet')).toHaveLength(3)
  expect(busy.nowMs - before).toBeCloseTo(3 * MESSAGE_MS)
  expect(before).toBeLessThan(0.5)
  await busy.stepped.settle()
  expect(busy.log.filter((name) => name === 'flood')).toHaveLength(1000)
})

test('links that flood get the same share, not one after the other', async () => {
  const busy = new Busy()
  const readers = ['a', 'b', 'c', 'd'].map((name) => busy.reader(name))
  for (const reader of readers) reader.push(messages(2000))
  await busy.stepped.settle()
  expect(busy.log).toHaveLength(8000)
  const lastOf = (name: string): number => busy.log.lastIndexOf(name)
  const ends = ['a', 'b', 'c', 'd'].map(lastOf)
  expect(Math.min(...ends)).toBeGreaterThan(6500)
})
