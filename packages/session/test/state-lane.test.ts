import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StateSender } from '../src/state-lane.ts'

const always = (): boolean => true
const frame = (value: number, length = 4): Uint8Array => {
  const bytes = new Uint8Array(length)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
const valueOf = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(0)

function sendAll(lane: StateSender): number[] {
  const sent: number[] = []
  for (let next = lane.peek(always); next !== undefined; next = lane.peek(always)) {
    lane.markSent(next)
    sent.push(valueOf(next))
  }
  return sent
}

test('only the newest waiting frame of a key leaves, in the place of the first', () => {
  const lane = new StateSender(1000)
  expect(lane.push(1, 7, frame(1))).toEqual({ replaced: 0, dropped: 0 })
  lane.push(1, 8, frame(2))
  expect(lane.push(1, 7, frame(3))).toEqual({ replaced: 1, dropped: 0 })
  expect(sendAll(lane)).toEqual([3, 2])
})

test('the same key under another epoch is another frame', () => {
  const lane = new StateSender(1000)
  lane.push(1, 7, frame(1))
  lane.push(2, 7, frame(2))
  expect(sendAll(lane)).toEqual([1, 2])
})

test('a frame is kept until it has arrived, and waits again after a new link', () => {
  const lane = new StateSender(1000)
  lane.push(1, 7, frame(1))
  lane.push(1, 8, frame(2))
  expect(sendAll(lane)).toEqual([1, 2])
  expect(lane.acknowledge(1)).toBe(1)
  lane.relink()
  expect(sendAll(lane)).toEqual([2])
  expect(lane.acknowledge(1)).toBe(1)
  lane.relink()
  expect(sendAll(lane)).toEqual([])
  expect(lane.bytes).toBe(0)
})

test('the arrival of an older frame does not free a newer one', () => {
  const lane = new StateSender(1000)
  lane.push(1, 7, frame(1))
  sendAll(lane)
  lane.push(1, 7, frame(2))
  lane.acknowledge(1)
  expect(lane.length).toBe(1)
  expect(sendAll(lane)).toEqual([2])
})

test('refuses an acknowledgement of more frames than were sent', () => {
  const lane = new StateSender(1000)
  lane.push(1, 7, frame(1))
  sendAll(lane)
  expect(lane.acknowledge(2)).toBeUndefined()
  expect(lane.acknowledge(0xffff)).toBeUndefined()
  expect(lane.acknowledge(1)).toBe(1)
})

test('acknowledgements count on across 2^16', () => {
  const lane = new StateSender(1000)
  let freed = 0
  for (let i = 1; i <= 70_000; i++) {
    lane.push(1, 7, frame(i))
    lane.markSent(lane.peek(always) as Uint8Array)
    freed += lane.acknowledge(i & 0xffff) ?? 0
  }
  expect(freed).toBe(70_000)
  expect([lane.bytes, lane.inFlight, lane.inFlightBytes]).toEqual([0, 0, 0])
})

test('without acknowledgements at most half of 2^16 frames are in flight', () => {
  const lane = new StateSender(1000)
  let sent = 0
  for (let i = 0; i < 40_000; i++) {
    lane.push(1, 7, frame(i))
    sent += sendAll(lane).length
  }
  expect(sent).toBe(0x7fff)
  expect(lane.bytes).toBe(4)
})

test('over the bound the frames untouched for longest go, never the newest', () => {
  const lane = new StateSender(10)
  lane.push(1, 1, frame(1))
  lane.push(1, 2, frame(2))
  lane.push(1, 1, frame(3))
  expect(lane.push(1, 3, frame(4))).toEqual({ replaced: 0, dropped: 1 })
  expect(sendAll(lane)).toEqual([3, 4])
  expect(lane.push(1, 4, frame(5, 64))).toEqual({ replaced: 0, dropped: 0 })
  expect(sendAll(lane)).toEqual([5])
})

test('the end of an epoch takes its frames along', () => {
  const lane = new StateSender(1000)
  lane.push(1, 1, frame(1))
  lane.push(2, 1, frame(2))
  lane.purge(1)
  expect(sendAll(lane)).toEqual([2])
  expect(lane.bytes).toBe(4)
})

test('a frame whose epoch is not ready waits without holding up the others', () => {
  const lane = new StateSender(1000)
  lane.push(1, 1, frame(1))
  lane.push(2, 1, frame(2))
  expect(valueOf(lane.peek((epoch) => epoch === 2) as Uint8Array)).toBe(2)
  expect(lane.peek(() => false)).toBeUndefined()
})

test('whatever happens on the way, each key ends with its newest value', () => {
  const action = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('push' as const), key: fc.nat(3), n: fc.nat(3) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('carry' as const), key: fc.nat(3), n: fc.nat(3) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('ack' as const), key: fc.nat(0), n: fc.nat(0) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('cut' as const), key: fc.nat(0), n: fc.nat(2) }),
    },
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 150 }), (actions) => {
      const lane = new StateSender(1000)
      const newest = new Map<number, number>()
      const arrived = new Map<number, number>()
      let value = 0
      let received = 0
      const carry = (count: number, isLost = false): void => {
        for (let i = 0; i < count; i++) {
          const next = lane.peek(always)
          if (next === undefined) return
          lane.markSent(next)
          if (isLost) continue
          received += 1
          arrived.set(valueOf(next) & 3, valueOf(next))
        }
      }
      for (const step of actions) {
        if (step.do === 'push') {
          value += 4
          newest.set(step.key, value | step.key)
          lane.push(1, step.key, frame(value | step.key))
        } else if (step.do === 'carry') carry(step.n)
        else if (step.do === 'ack') expect(lane.acknowledge(received)).toBeDefined()
        else {
          carry(step.n, true)
          lane.relink()
          received = 0
        }
      }
      carry(Infinity)
      expect(arrived).toEqual(newest)
      lane.acknowledge(received)
      expect([lane.bytes, lane.length, lane.inFlightBytes]).toEqual([0, 0, 0])
    }),
    { numRuns: 200, seed: 12 },
  )
})
