import { describe, expect, test } from 'vitest'
import { Kcp, SegmentPool } from '../src/index.ts'
import { ACK, CONV, End, PUSH, STARTS, WASK, WINS, decode, deliver } from './support/wire.ts'

const FAST = { nodelay: 1, interval: 10, resend: 2, nc: true } as const
const bytes = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + length) & 0xff)

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  test('carries messages of any size, their boundaries and their order', () => {
    const sender = new End(start, { ...FAST, mtu: 124, sndWnd: 128 })
    const receiver = new End(start, FAST)
    const sizes = [0, 1, 16, 17, 99, 100, 101, 250, 5000, 0]
    for (const size of sizes) expect(sender.kcp.send(bytes(size))).toBe(size)
    sender.kcp.flush(sender.nowMs)
    for (const datagram of sender.sent) expect(datagram.length).toBeLessThanOrEqual(124)
    deliver(sender, receiver)
    for (const size of sizes) {
      expect(receiver.kcp.peekSize()).toBe(size)
      const target = Buffer.alloc(size + 3)
      expect(receiver.kcp.receive(target, 3)).toBe(size)
      expect(target.subarray(3)).toEqual(Buffer.from(bytes(size)))
    }
    expect(receiver.kcp.receive(Buffer.alloc(1))).toBe(-1)
    expect(receiver.kcp.waitRcvBytes).toBe(0)
  })

  test('copies on send, so that the caller may use its bytes again', () => {
    const sender = new End(start, FAST)
    const message = Buffer.from('first')
    sender.kcp.send(message)
    message.write('other')
    expect(Buffer.from(sender.flush()[0]!.payload).toString()).toBe('first')
  })

  test('sends part of an array, and refuses a part that is not in it', () => {
    const sender = new End(start, FAST)
    expect(sender.kcp.send(Buffer.from('abcdef'), 2, 3)).toBe(3)
    expect(Buffer.from(sender.flush()[0]!.payload).toString()).toBe('cde')
    expect(() => sender.kcp.send(Buffer.alloc(4), 2, 3)).toThrow(RangeError)
    expect(() => sender.kcp.input(Buffer.alloc(4), 2, 24, 0)).toThrow(RangeError)
  })

  test('says what keeps a message from being received', () => {
    const receiver = new End(start)
    receiver.input({ sn: 0, frg: 1, payload: bytes(10) })
    expect(receiver.kcp.peekSize()).toBe(-1)
    expect(receiver.kcp.receive(Buffer.alloc(100))).toBe(-2)
    receiver.input({ sn: 1, frg: 0, payload: bytes(10) })
    expect(receiver.kcp.receive(Buffer.alloc(19))).toBe(-3)
    expect(receiver.kcp.receive(Buffer.alloc(20))).toBe(20)
  })

  test('writes acknowledgements, then questions, then segments, and packs them up to the MTU', () => {
    const end = new End(start, { ...FAST, mtu: 124 })
    end.input({ cmd: WASK, wnd: 0 })
    end.input({ sn: 1, ts: 7, wnd: 0, payload: bytes(3) })
    end.wait(10)
    end.flush()
    end.input({ sn: 2, ts: 8, wnd: 0, payload: bytes(3) })
    end.wait(500)
    end.kcp.flush(end.nowMs)
    expect(end.segments().map(({ cmd }) => cmd)).toEqual([ACK, WASK])
    end.input({ cmd: WASK, wnd: 64 })
    end.input({ sn: 0, ts: 9, wnd: 64, payload: bytes(3) })
    end.kcp.send(bytes(40))
    end.kcp.send(bytes(40))
    end.kcp.flush(end.nowMs)
    expect(end.sent.map((datagram) => decode(datagram).map(({ cmd }) => cmd))).toEqual([
      [ACK, WINS, PUSH],
      [PUSH],
    ])
    // The window tells the free room, una what has come in order, and the answer borrows numbers as in the original.
    expect(end.segments()).toMatchObject([
      { cmd: ACK, sn: 0, ts: 9, una: 3, wnd: 125 },
      { cmd: WINS, sn: 0, ts: 9, una: 3 },
      { cmd: PUSH, sn: 0, ts: 510, una: 3, frg: 0 },
      { cmd: PUSH, sn: 1, ts: 510, una: 3, frg: 0 },
    ])
  })

  test('acknowledges only what una does not say, and always the last for its time', () => {
    const receiver = new End(start)
    for (const sn of [0, 1, 3, 2, 5]) receiver.input({ sn, ts: sn })
    expect(receiver.flush()).toMatchObject([{ sn: 5, una: 4 }])
    for (const sn of [6, 1]) receiver.input({ sn, ts: 10 + sn })
    expect(receiver.flush()).toMatchObject([
      { sn: 6, ts: 16 },
      { sn: 1, ts: 11 },
    ])
    const original = new End(start, { ackAll: true })
    for (const sn of [0, 1, 3, 2, 5]) original.input({ sn, ts: sn })
    expect(original.flush().map(({ sn }) => sn)).toEqual([0, 1, 3, 2, 5])
  })

  test('segments that wait for the reader do not take room from those that fill a hole', () => {
    const receiver = new End(start, { rcvWnd: 2 })
    receiver.input({ sn: 0, payload: bytes(1) }, { sn: 1, payload: bytes(2) })
    expect(receiver.input({ sn: 3, payload: bytes(4) }, { sn: 2, payload: bytes(3) })).toBe(0)
    expect(receiver.kcp.rcvNxt).toBe(receiver.sn(2))
    expect(receiver.input({ sn: 4, payload: bytes(5) })).toBe(0)
    expect(receiver.kcp.stats.outOfWindow).toBe(1)
    for (const size of [1, 2, 3, 4]) expect(receiver.kcp.receive(Buffer.alloc(9))).toBe(size)
    expect(receiver.kcp.rcvNxt).toBe(receiver.sn(4))
  })

  test('a stream fills segments, keeps no boundaries and gives as much as fits', () => {
    const sender = new End(start, { ...FAST, stream: true, mtu: 124 })
    const receiver = new End(start, { stream: true })
    const all = bytes(1234)
    for (let at = 0, step = 1; at < all.length; step += 1) {
      at += sender.kcp.send(all, at, Math.min(step, all.length - at))
    }
    expect(sender.kcp.send(new Uint8Array(0))).toBe(0)
    expect(sender.kcp.waitSnd).toBe(13)
    sender.kcp.flush(sender.nowMs)
    deliver(sender, receiver)
    const target = Buffer.alloc(2000)
    expect(receiver.kcp.receive(target.subarray(0, 99))).toBe(-3)
    expect(receiver.kcp.receive(target.subarray(0, 350))).toBe(300)
    expect(receiver.kcp.receive(target, 300)).toBe(934)
    expect(target.subarray(0, 1234)).toEqual(Buffer.from(all))
  })

  test('a flush leaves room around each datagram for a header and a tag', () => {
    const sent: [number, number, number][] = []
    const kcp = new Kcp(
      CONV,
      (buffer, offset, length) => {
        buffer.fill(0xee, offset - 16, offset)
        buffer.fill(0xee, offset + length, offset + length + 8)
        sent.push([buffer[offset]!, offset, length])
      },
      { ...FAST, headroomBytes: 16, tailroomBytes: 8, mtu: 124, nowMs: start.ms },
    )
    for (let index = 0; index < 3; index += 1) kcp.send(bytes(100))
    kcp.flush(start.ms)
    expect(sent.map(([first, , length]) => [first, length])).toEqual([
      [0x44, 124],
      [0x44, 124],
      [0x44, 124],
    ])
  })

  test('an idle conversation holds no buffer: all memory is back in the pool it shares', () => {
    const pool = new SegmentPool()
    const sender = new End(start, { ...FAST, pool })
    const receiver = new End(start, { ...FAST, pool })
    const round = (): number => {
      for (let index = 0; index < 40; index += 1) sender.kcp.send(bytes(700))
      for (let turn = 0; turn < 4; turn += 1) {
        sender.kcp.flush(sender.nowMs)
        deliver(sender, receiver)
        while (receiver.kcp.receive(Buffer.alloc(2000)) >= 0);
        receiver.kcp.flush(receiver.nowMs)
        deliver(receiver, sender)
      }
      expect(sender.kcp.waitSnd).toBe(0)
      return pool.freeBytes
    }
    const free = round()
    for (let turn = 0; turn < 5; turn += 1) expect(round()).toBe(free)
    sender.kcp.send(bytes(700))
    receiver.input({ sn: 300, payload: bytes(5) })
    expect(pool.freeBytes).toBeLessThan(free)
    sender.kcp.release()
    receiver.kcp.release()
    expect(pool.freeBytes).toBe(free)
    expect(sender.kcp.send(bytes(1))).toBe(-4)
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
  })

  test('a window that is made larger takes effect at once, for either direction', () => {
    const sender = new End(start, { ...FAST, sndWnd: 2 })
    for (let index = 0; index < 6; index += 1) sender.send(`${index}`)
    expect(sender.flush()).toHaveLength(2)
    sender.kcp.setWindowSize(5)
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(sender.nowMs)
    expect(sender.flush()).toHaveLength(3)

    const receiver = new End(start, { rcvWnd: 2 })
    for (let sn = 0; sn < 3; sn += 1) receiver.input({ sn, payload: Buffer.from(`${sn}`) })
    expect(receiver.flush().at(-1)).toMatchObject({ una: 2, wnd: 0 })
    receiver.kcp.setWindowSize(0, 5)
    expect(receiver.kcp.nextDeadline(receiver.nowMs), 'the peer waits for it').toBe(receiver.nowMs)
    expect(receiver.flush().at(-1)).toMatchObject({ cmd: WINS, una: 3, wnd: 2 })
    expect([sender.kcp.sndWnd, receiver.kcp.rcvWnd]).toEqual([5, 5])
  })

  test('a receive window that was told gets smaller for a stream, not for messages cut to fit it', () => {
    const messages = new End(start, { rcvWnd: 8 })
    messages.kcp.setWindowSize(0, 4)
    messages.input({ frg: 3, payload: Buffer.from('0') })
    messages.flush()
    expect(() => messages.kcp.setWindowSize(0, 3)).toThrow(RangeError)
    expect(messages.kcp.rcvWnd).toBe(4)
    for (let sn = 1; sn < 4; sn += 1)
      messages.input({ sn, frg: 3 - sn, payload: Buffer.from(`${sn}`) })
    expect(messages.receiveAll()).toEqual(['0123'])

    const stream = new End(start, { rcvWnd: 8, stream: true })
    for (let sn = 0; sn < 4; sn += 1) stream.input({ sn, payload: Buffer.from(`${sn}`) })
    stream.flush()
    stream.kcp.setWindowSize(0, 2)
    stream.input({ sn: 4, payload: Buffer.from('4') })
    expect(stream.flush().at(-1)).toMatchObject({ una: 4, wnd: 0 })
    expect(stream.receive()).toBe('0')
    expect(stream.receiveAll().join('')).toBe('1234')
    expect(stream.flush().at(-1)).toMatchObject({ cmd: WINS, una: 5, wnd: 2 })
  })

  test('what comes once it was released is refused, and takes no memory', () => {
    const pool = new SegmentPool()
    const receiver = new End(start, { pool })
    receiver.input({ payload: Buffer.from('one') })
    receiver.kcp.release()
    const { freeBytes } = pool
    expect(receiver.input({ sn: 1, payload: Buffer.from('two') })).toBe(-1)
    expect([receiver.kcp.waitRcvBytes, pool.freeBytes]).toEqual([0, freeBytes])
    expect(receiver.kcp.stats.refused).toBe(1)
  })

  test('counts what it did', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.flush()
    sender.wait(200)
    sender.flush()
    sender.input({ cmd: ACK, sn: 0, una: 1 })
    expect(sender.kcp.stats).toEqual({
      datagramsOut: 2,
      bytesOut: 54,
      datagramsIn: 1,
      bytesIn: 24,
      refused: 0,
      segmentsOut: 2,
      segmentsIn: 0,
      timeoutResends: 1,
      fastResends: 0,
      duplicates: 0,
      outOfWindow: 0,
      probes: 0,
    })
  })
})

test('refuses options outside their range, by name', () => {
  const make = (options: object) => (): Kcp => new Kcp(1, () => undefined, options)
  expect(make({ mtu: 49 })).toThrow('mtu is a whole number from 50 to 65507, not 49')
  for (const options of [
    { nodelay: 3 },
    { interval: 0 },
    { sndWnd: 0 },
    { rcvWnd: 40_000 },
    { mtu: 1400.5 },
    { initialSn: -1 },
    { nowMs: Number.NaN },
    { maxWaitSnd: 0 },
  ])
    expect(make(options)).toThrow(RangeError)
  expect(() => new SegmentPool({ maxFreeBytes: -1 })).toThrow(RangeError)
})

test('refuses to be called from its own output', () => {
  const kcp: Kcp = new Kcp(1, () => void kcp.send(bytes(1)))
  kcp.send(bytes(1))
  expect(() => kcp.flush(0)).toThrow('output() called back')
})

test('may hand a datagram to another conversation of the same pool from its output', () => {
  const pool = new SegmentPool()
  const answers: number[] = []
  const b = new Kcp(1, (_buffer, _offset, length) => answers.push(length), { pool })
  const a = new Kcp(
    1,
    (buffer, offset, length) => {
      expect(b.input(buffer, offset, length, 0)).toBe(0)
      b.flush(0)
    },
    { pool, nc: true },
  )
  a.send(bytes(3000))
  a.flush(0)
  const target = new Uint8Array(3000)
  expect(b.receive(target)).toBe(3000)
  expect(target).toEqual(bytes(3000))
  expect(answers).toEqual([24, 24, 24])
})
