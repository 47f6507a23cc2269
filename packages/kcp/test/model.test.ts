// Whatever happens in whatever order, the core does what a naive model of it does.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SegmentPool } from '../src/index.ts'
import { ReceiveBuffer } from '../src/receive-buffer.ts'
import type { Block } from '../src/segment-pool.ts'
import { LENGTH, OFFSET, SendBuffer } from '../src/send-buffer.ts'
import { End, STARTS, deliver } from './support/wire.ts'

const PACKET_BYTES = 2048

function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (seed * 31 + index * 7) & 0xff))
}

const bufferStarts = [0, 2 ** 31 - 5, -3] as const

describe.each(bufferStarts)('numbered from %d', (first) => {
  test('the send buffer keeps each payload until it is acknowledged', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), length: fc.nat(3000) }),
      fc.record({ kind: fc.constant('extend' as const), length: fc.nat(300) }),
      fc.record({ kind: fc.constant('number' as const), count: fc.nat(6) }),
      fc.record({ kind: fc.constant('ack' as const), index: fc.nat(8) }),
      fc.record({ kind: fc.constant('una' as const), count: fc.nat(5) }),
      fc.record({ kind: fc.constant('unqueue' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const pool = new SegmentPool()
        const snd = new SendBuffer(pool, first | 0)
        // Payloads from una on; an acknowledged one is undefined.
        let model: (Buffer | undefined)[] = []
        let inFlight = 0
        const ever = new Set<Block>()
        const shrink = (): void => {
          while (inFlight > 0 && model[0] === undefined) {
            model.shift()
            inFlight -= 1
          }
        }
        for (const [seed, action] of steps.entries()) {
          if (action.kind === 'push') {
            const payload = pattern(action.length, seed)
            snd.push(Buffer.concat([Buffer.alloc(3), payload]), 3, payload.length, 0)
            model.push(payload)
          } else if (action.kind === 'extend') {
            if (model.length === inFlight) continue
            const more = pattern(action.length, seed)
            snd.extend(more, 0, more.length)
            model.push(Buffer.concat([model.pop()!, more]))
          } else if (action.kind === 'number') {
            const count = Math.min(action.count, model.length - inFlight)
            inFlight += count
            snd.nxt = (snd.nxt + count) | 0
          } else if (action.kind === 'ack') {
            const isOpen = action.index < inFlight && model[action.index] !== undefined
            expect(snd.ack((snd.una + action.index) | 0)).toBe(isOpen)
            if (isOpen) model[action.index] = undefined
            snd.shrink(snd.una)
            shrink()
          } else if (action.kind === 'una') {
            const count = Math.min(action.count, inFlight)
            for (let index = 0; index < count; index += 1) model[index] = undefined
            snd.shrink((snd.una + count) | 0)
            shrink()
          } else {
            const taken = snd.unqueue().map(({ bytes }) => Buffer.from(bytes))
            expect(taken).toEqual(model.slice(inFlight))
            model = model.slice(0, inFlight)
          }
          expect([snd.inFlight, snd.queued]).toEqual([inFlight, model.length - inFlight])
          expect(snd.bytes).toBe(model.reduce((sum, payload) => sum + (payload?.length ?? 0), 0))
          for (const [index, payload] of model.entries()) {
            const sn = (snd.una + index) | 0
            const record = snd.at(sn)
            const length = snd.records[record + LENGTH]!
            expect(length).toBe(payload?.length ?? -1)
            const offset = snd.records[record + OFFSET]!
            const block = snd.blocks[sn & snd.mask]
            if (payload === undefined) expect(block).toBeUndefined()
            else expect(payload.equals(block!.bytes.subarray(offset, offset + length))).toBe(true)
          }
          const lent = new Set(snd.blocks.filter((block) => block !== undefined))
          expect(lent.size === 0).toBe(model.every((payload) => payload === undefined))
          const references = [...lent].reduce((sum, block) => sum + block.references, 0)
          expect(references).toBe(model.filter((payload) => payload !== undefined).length)
          for (const block of lent) ever.add(block)
        }
        snd.clear()
        expect(pool.freeBytes).toBe([...ever].reduce((sum, block) => sum + block.bytes.length, 0))
      }),
      { numRuns: 150 },
    )
  })

  test('the receive buffer gives messages in order, whatever the order of their segments', () => {
    const input = fc.record({
      fragments: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 30 }),
      order: fc.array(fc.nat(), { minLength: 10, maxLength: 200 }),
      rcvWnd: fc.integer({ min: 4, max: 40 }),
      readEvery: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(input, ({ fragments, order, rcvWnd, readEvery }) => {
        const pool = new SegmentPool()
        // As many as can be held at once: none needs to be made later.
        for (const block of Array.from({ length: 64 }, () => pool.take(PACKET_BYTES)))
          pool.give(block)
        const free = pool.freeBytes
        const rcv = new ReceiveBuffer(pool, first | 0)
        const segments = fragments.flatMap((count) =>
          Array.from({ length: count }, (_, index) => count - 1 - index),
        )
        const messages: string[] = []
        let at = 0
        for (const count of fragments) {
          const parts = Array.from({ length: count }, (_, index) =>
            pattern(at + index + 1, at + index),
          )
          messages.push(Buffer.concat(parts).toString('hex'))
          at += count
        }
        const held = new Set<number>()
        let received = 0
        let nxt = 0
        let head = 0
        for (const [turn, number] of [...order, ...segments.keys(), ...segments.keys()].entries()) {
          const index = number % segments.length
          if (index >= nxt && index < nxt + rcvWnd) {
            const packet = pool.take(PACKET_BYTES)
            packet.bytes.set(pattern(index + 1, index))
            const isNew = rcv.store((first + index) | 0, packet, 0, index + 1, segments[index]!)
            expect(isNew).toBe(!held.has(index))
            if (!isNew) pool.give(packet)
            held.add(index)
            rcv.advance(rcvWnd)
          }
          while (held.has(nxt) && nxt - head < rcvWnd) nxt += 1
          expect(rcv.nxt).toBe((first + nxt) | 0)
          if (turn % readEvery !== 0) continue
          const isWhole = segments.slice(head, nxt).includes(0)
          expect(rcv.peekSize() >= 0).toBe(isWhole)
          if (!isWhole) continue
          const target = Buffer.alloc(rcv.peekSize())
          expect(rcv.take(target, 0)).toBe(target.length)
          expect(target.toString('hex')).toBe(messages[received])
          head += fragments[received]!
          received += 1
          rcv.advance(rcvWnd)
          while (held.has(nxt) && nxt - head < rcvWnd) nxt += 1
        }
        rcv.clear()
        expect(rcv.bytes).toBe(0)
        expect(pool.freeBytes).toBe(free)
      }),
      { numRuns: 150 },
    )
  })
})

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('send' as const), length: fc.nat(900) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('carry' as const), back: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), back: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('double' as const), back: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const), back: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), count: fc.nat(8) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('window' as const),
        size: fc.integer({ min: 10, max: 60 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('mtu' as const),
        mtu: fc.integer({ min: 150, max: 1000 }),
      }),
    },
  )
  const mode = fc.record({
    nodelay: fc.integer({ min: 0, max: 2 }),
    resend: fc.nat(2),
    nc: fc.boolean(),
    ackAll: fc.boolean(),
    stream: fc.boolean(),
  })

  test('what is sent is received once, in order and unchanged, over any link that carries something in the end', () => {
    fc.assert(
      fc.property(mode, fc.array(step, { maxLength: 150 }), (options, steps) => {
        const settings = { ...options, interval: 10, mtu: 300, deadLinkMs: 0, peerRcvWnd: 10 }
        const a = new End(start, settings)
        const b = new End(start, { ...settings, rcvWnd: 16 })
        const sent: Buffer[] = []
        const received: Buffer[] = []
        const read = (count: number): void => {
          for (let index = 0; index < count && b.kcp.peekSize() >= 0; index += 1) {
            const target = Buffer.alloc(options.stream ? 2000 : b.kcp.peekSize())
            received.push(target.subarray(0, b.kcp.receive(target)))
          }
        }
        for (const [seed, action] of steps.entries()) {
          const [from, to] = 'back' in action && action.back ? [b, a] : [a, b]
          if (action.kind === 'send') {
            const message = pattern(action.length, seed)
            const taken = a.kcp.send(message)
            expect(taken).toBe(message.length <= a.kcp.maxMessageBytes ? message.length : -2)
            if (taken >= 0) sent.push(message)
          } else if (action.kind === 'carry') {
            from.kcp.flush(from.nowMs)
            deliver(from, to)
          } else if (action.kind === 'lose') from.sent.pop()
          else if (action.kind === 'double') from.sent.push(...from.sent.slice(-1))
          else if (action.kind === 'turn') from.sent.reverse()
          else if (action.kind === 'read') read(action.count)
          else if (action.kind === 'window') a.kcp.setWindowSize(action.size)
          else if (action.kind === 'mtu') a.kcp.setMtu(action.mtu)
          else {
            a.wait(action.ms)
            b.wait(action.ms)
          }
          expect(a.kcp.state).toBe(0)
          expect(b.kcp.state).toBe(0)
        }
        for (let turn = 0; turn < 2000 && (a.kcp.waitSnd > 0 || b.kcp.peekSize() >= 0); turn += 1) {
          a.wait(100)
          b.wait(100)
          a.kcp.flush(a.nowMs)
          deliver(a, b)
          read(Infinity)
          b.kcp.flush(b.nowMs)
          deliver(b, a)
        }
        if (options.stream) expect(Buffer.concat(received)).toEqual(Buffer.concat(sent))
        else expect(received).toEqual(sent)
        expect(a.kcp.waitSndBytes).toBe(0)
        expect(b.kcp.waitRcvBytes).toBe(0)
      }),
      { numRuns: 120 },
    )
  })
})
