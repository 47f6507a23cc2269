import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReliableReceiver, ReliableSender } from '../src/reliable-lane.ts'
import { serialAdd } from '../src/serial-number.ts'

const STARTS = [0, 0x7fff_fffd, 0xffff_fffd]
const frame = (number: number): Uint8Array =>
  Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(0)

function push(sender: ReliableSender, count: number): void {
  for (let i = 0; i < count; i++) sender.push(frame(sender.nextSeq), i)
}

function sendAll(sender: ReliableSender): number[] {
  const sent: number[] = []
  for (let next = sender.peek(); next !== undefined; next = sender.peek()) {
    sent.push(numberOf(next))
    sender.markSent()
  }
  return sent
}

describe.each(STARTS)('starting after %i', (start) => {
  const after = (steps: number): number => serialAdd(start, steps)

  test('keeps frames until a cumulative acknowledgement covers them', () => {
    const sender = new ReliableSender(start)
    push(sender, 5)
    expect(sendAll(sender)).toEqual([1, 2, 3, 4, 5].map(after))
    expect(sender.acknowledge(after(3))).toBe(3)
    expect([sender.length, sender.bytes, sender.inFlight]).toEqual([2, 8, 2])
    expect(sender.acknowledge(after(5))).toBe(2)
    expect([sender.length, sender.bytes, sender.oldestMs]).toEqual([0, 0, undefined])
  })

  test('refuses an acknowledgement of a frame that was not sent, or of one freed before', () => {
    const sender = new ReliableSender(start)
    push(sender, 3)
    sender.peek()
    sender.markSent()
    expect(sender.acknowledge(after(2))).toBeUndefined()
    expect(sender.acknowledge(after(1))).toBe(1)
    expect(sender.acknowledge(after(0))).toBeUndefined()
    expect(sender.acknowledge(after(1))).toBe(0)
  })

  test('a resume sends again what the other end did not receive, and only that', () => {
    const sender = new ReliableSender(start)
    push(sender, 6)
    sendAll(sender)
    push(sender, 1)
    expect(sender.resumeFrom(after(4))).toBe(true)
    expect(sender.inFlight).toBe(0)
    const again: boolean[] = []
    for (const seq of [5, 6, 7]) {
      expect(numberOf(sender.peek() as Uint8Array)).toBe(after(seq))
      again.push(sender.markSent())
    }
    expect(again).toEqual([true, true, false])
    expect(sender.peek()).toBeUndefined()
  })

  test('a resume from a frame that was never sent changes nothing', () => {
    const sender = new ReliableSender(start)
    push(sender, 4)
    sender.markSent()
    sender.markSent()
    expect(sender.resumeFrom(after(3))).toBe(false)
    expect(sender.resumeFrom(after(-1))).toBe(false)
    expect([sender.length, sender.inFlight]).toEqual([4, 2])
    expect(sender.resumeFrom(after(2))).toBe(true)
    expect(sendAll(sender)).toEqual([3, 4].map(after))
  })

  test('knows what has been sent on this link', () => {
    const sender = new ReliableSender(start)
    push(sender, 2)
    sender.markSent()
    expect([after(0), after(1), after(2)].map((seq) => sender.hasSent(seq))).toEqual([
      true,
      true,
      false,
    ])
    sender.resumeFrom(after(0))
    expect(sender.hasSent(after(1))).toBe(false)
  })

  test('the receiver lets each frame through once and tells duplicates from gaps', () => {
    const receiver = new ReliableReceiver(start)
    expect(receiver.accept(after(2))).toBe('gap')
    expect(receiver.accept(after(1))).toBe('next')
    expect(receiver.accept(after(1))).toBe('duplicate')
    expect(receiver.accept(after(0))).toBe('duplicate')
    for (let step = 2; step < 10; step++) expect(receiver.accept(after(step))).toBe('next')
    expect(receiver.lastReceived).toBe(after(9))
  })

  test('random traffic with cuts arrives whole, once and in order', () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('push' as const), n: fc.nat(5) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('carry' as const), n: fc.nat(5) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), n: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), n: fc.constant(0) }) },
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const sender = new ReliableSender(start)
        const receiver = new ReliableReceiver(start)
        const arrived: number[] = []
        let pushed = 0
        const carry = (count: number): void => {
          for (let i = 0; i < count; i++) {
            const next = sender.peek()
            if (next === undefined) return
            sender.markSent()
            expect(receiver.accept(numberOf(next))).toBe('next')
            arrived.push(numberOf(next))
          }
        }
        for (const step of actions) {
          if (step.do === 'push') {
            push(sender, step.n)
            pushed += step.n
          } else if (step.do === 'carry') carry(step.n)
          else if (step.do === 'ack') {
            expect(sender.acknowledge(receiver.lastReceived)).toBeDefined()
          } else {
            // One more frame leaves and is lost with the link.
            if (sender.peek() !== undefined) sender.markSent()
            expect(sender.resumeFrom(receiver.lastReceived)).toBe(true)
          }
        }
        carry(Infinity)
        sender.acknowledge(receiver.lastReceived)
        expect(arrived).toEqual(Array.from({ length: pushed }, (_, i) => after(i + 1)))
        expect([sender.length, sender.bytes, sender.inFlightBytes]).toEqual([0, 0, 0])
      }),
      { numRuns: 60, seed: 11 },
    )
  })
})

test('a clean start counts what is given up and begins at number 1', () => {
  const sender = new ReliableSender(500)
  push(sender, 3)
  expect(sender.reset()).toBe(3)
  expect([sender.nextSeq, sender.bytes, sender.length]).toEqual([1, 0, 0])
})

test('a long life keeps no memory of acknowledged frames', () => {
  const sender = new ReliableSender(0xffff_ff00)
  for (let i = 0; i < 5000; i++) {
    const seq = sender.nextSeq
    push(sender, 1)
    sender.markSent()
    expect(sender.acknowledge(seq)).toBe(1)
  }
  expect([sender.length, sender.bytes, sender.nextSeq]).toEqual([
    0,
    0,
    serialAdd(0xffff_ff00, 5001),
  ])
})
