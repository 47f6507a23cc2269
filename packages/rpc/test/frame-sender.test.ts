import { SteppedClock } from '@rts/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameSender, TooLarge } from '../src/frame-sender.ts'
import type { Piece } from '../src/transports/batch-writer.ts'
import { SlabPool } from '../src/transports/slab-pool.ts'
import { StreamLink } from '../src/transports/stream-link.ts'
import { encodeCall, encodeNotifyFrame, encodeReply } from '../src/body-frames.ts'
import { encodeEntityId, makeRoute } from '../src/wire.ts'
import { hex } from './support.ts'

/** A link over a stream that keeps what is written. */
function written(): { link: StreamLink; messages: () => string[] } {
  const clock = new SteppedClock()
  const chunks: Uint8Array[] = []
  const stream = {
    write: (pieces: readonly Piece[], left: () => void) => {
      for (const piece of pieces) chunks.push(piece.bytes.slice())
      left()
    },
    pause() {},
    resume() {},
    end() {},
    destroy() {},
  }
  const link = new StreamLink('x', stream, new SlabPool(), { trust: 'server', clock }, 'tick')
  const messages = (): string[] => {
    link.flush()
    const all = Buffer.concat(chunks)
    const found: string[] = []
    for (let at = 0; at < all.length;) {
      const end = at + 4 + all.readUInt32LE(at)
      found.push(hex(all.subarray(at + 4, end)))
      at = end
    }
    return found
  }
  return { link, messages }
}

const route = makeRoute('', 'bag.use')
const body = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.jsonValue() },
    { weight: 2, arbitrary: fc.string({ maxLength: 4000 }) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 63n }) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 9000 }) },
  ),
  { maxLength: 4 },
)

test('what is written in place is what the encoders of the wire give, in order', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          kind: fc.constantFrom('call', 'notify', 'reply'),
          id: fc.integer({ min: 1, max: 0xffffffff }),
          timeoutMs: fc.nat(),
          routeId: fc.integer({ min: -1, max: 1023 }),
          entity: fc.option(fc.constantFrom('kim', 'x'.repeat(200)), { nil: undefined }),
          args: body,
        }),
        { maxLength: 60 },
      ),
      (frames) => {
        const { link, messages } = written()
        const sender = new FrameSender(link, 1_000_000)
        const expected: string[] = []
        for (const { kind, id, timeoutMs, routeId, entity: name, args } of frames) {
          const entity = name === undefined ? undefined : encodeEntityId(name)
          if (kind === 'call') {
            sender.call(id, timeoutMs, routeId, route, entity, undefined, args)
            expected.push(hex(encodeCall(id, timeoutMs, routeId, route, entity, undefined, args)))
          } else if (kind === 'notify') {
            sender.notify(routeId, route, entity, args)
            expected.push(hex(encodeNotifyFrame(routeId, route, entity, args)))
          } else {
            sender.reply(id, args[0])
            expected.push(hex(encodeReply(id, args[0])))
          }
        }
        expect(messages()).toEqual(expected)
      },
    ),
    { numRuns: 200, seed: 41 },
  )
})

test('what is too large for the other end is not sent, however it is encoded', () => {
  const { link, messages } = written()
  const sender = new FrameSender(link, 60)
  expect(() => sender.reply(1, 'x'.repeat(60))).toThrow(TooLarge)
  expect(() => sender.reply(1, new Uint8Array(60))).toThrow(TooLarge)
  expect(() => sender.notify(0, route, undefined, ['x'.repeat(60)])).toThrow(TooLarge)
  sender.reply(2, 'fits')
  expect(messages()).toEqual([hex(encodeReply(2, 'fits'))])
})

test('a value that sends while it is encoded leaves both messages whole', () => {
  const { link, messages } = written()
  const sender = new FrameSender(link, 1_000_000)
  let sent = 0
  const value = {
    before: 1,
    get inner() {
      sent += 1
      sender.reply(sent, 'inner')
      return 2
    },
    after: 'x'.repeat(100),
  }
  sender.reply(9, value)
  const inner = (id: number): string => hex(encodeReply(id, 'inner'))
  const outer = hex(encodeReply(9, { before: 1, inner: 2, after: 'x'.repeat(100) }))
  const seen = messages()
  expect(seen.at(-1)).toBe(outer)
  expect(seen.slice(0, -1)).toEqual(Array.from({ length: sent }, (_, i) => inner(i + 1)))
})

test('a value that throws while it is encoded leaves nothing behind', () => {
  const { link, messages } = written()
  const sender = new FrameSender(link, 1_000_000)
  const bad = {
    get broken(): never {
      throw new Error('broken')
    },
  }
  sender.reply(1, 'one')
  expect(() => sender.reply(2, bad)).toThrow('broken')
  sender.reply(3, 'three')
  expect(messages()).toEqual([hex(encodeReply(1, 'one')), hex(encodeReply(3, 'three'))])
})

test('nothing is sent on a link that is closed', () => {
  const { link, messages } = written()
  const sender = new FrameSender(link, 1_000_000)
  link.reset()
  expect(sender.reply(1, 'late')).toBe(false)
  expect(messages()).toEqual([])
})
