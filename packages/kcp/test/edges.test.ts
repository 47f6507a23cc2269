// The known bugs and edges of KCP implementations, one test each.
import { describe, expect, test } from 'vitest'
import { Kcp } from '../src/index.ts'
import { ACK, CONV, End, PUSH, STARTS, WASK, decode, deliver, encode } from './support/wire.ts'

const FAST = { nodelay: 1, interval: 10, resend: 2, nc: true } as const
const KILOBYTE = new Uint8Array(1000)

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  test('1: a message that the peer could never hold is refused by both ends instead of waiting for ever', () => {
    const sender = new End(start, { mtu: 124, peerRcvWnd: 8 })
    expect(sender.kcp.maxMessageBytes).toBe(700)
    expect(sender.kcp.send(KILOBYTE.subarray(0, 701))).toBe(-2)
    expect(sender.kcp.send(KILOBYTE.subarray(0, 700))).toBe(700)

    const receiver = new End(start, { rcvWnd: 8 })
    expect(receiver.input({ frg: 8 })).toBe(-5)
    expect(receiver.kcp.rcvNxt).toBe(start.sn)
    // Fragments that never end fill the window: that is told as well.
    for (let sn = 0; sn < 7; sn += 1) expect(receiver.input({ sn, frg: 7 })).toBe(0)
    expect(receiver.input({ sn: 7, frg: 7 })).toBe(-5)
    expect(receiver.kcp.state).toBe(-2)
    expect(receiver.kcp.nextDeadline(receiver.nowMs)).toBe(Infinity)
  })

  test('2: the largest message follows the real window of the peer, up to the 8 bits of the fragment number', () => {
    const sender = new End(start, { mtu: 124 })
    expect(sender.kcp.maxMessageBytes).toBe(127 * 100)
    sender.input({ cmd: WASK, wnd: 32 })
    expect(sender.kcp.maxMessageBytes).toBe(31 * 100)
    sender.input({ cmd: WASK, wnd: 20 })
    expect(sender.kcp.maxMessageBytes, 'a queue that fills is not a smaller window').toBe(31 * 100)
    sender.input({ cmd: WASK, wnd: 1024 })
    expect(sender.kcp.maxMessageBytes).toBe(254 * 100)
    expect(sender.kcp.send(new Uint8Array(25_401))).toBe(-2)
    expect(sender.kcp.send(new Uint8Array(25_400))).toBe(25_400)
  })

  test('3: no window can read as closed on the wire because it needs 17 bits', () => {
    expect(() => new End(start, { rcvWnd: 65_536 })).toThrow(RangeError)
    const receiver = new End(start, { rcvWnd: 32_767 })
    receiver.input({ payload: KILOBYTE })
    expect(receiver.flush()[0]!.wnd).toBe(32_766)
  })

  test('4: a stream takes all bytes of a call or none', () => {
    const sender = new End(start, { stream: true, mtu: 124, maxWaitSnd: 3 })
    expect(sender.kcp.send(KILOBYTE.subarray(0, 130))).toBe(130)
    expect(sender.kcp.send(KILOBYTE.subarray(0, 171))).toBe(-3)
    expect(sender.kcp.waitSndBytes).toBe(130)
    expect(sender.kcp.send(KILOBYTE.subarray(0, 170))).toBe(170)
    sender.flush()
    sender.wait(0)
    expect(sender.kcp.waitSnd).toBe(3)
    expect(sender.kcp.waitSndBytes).toBe(300)
  })

  test('5: driven by its deadlines alone it flushes when due, and never spins', () => {
    const sender = new End(start, { nodelay: 1, interval: 10, nc: true, deadLinkMs: 0 })
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
    sender.send('one')
    const times: number[] = []
    for (let turn = 0; turn < 6; turn += 1) {
      const due = sender.kcp.nextDeadline(sender.nowMs)
      sender.wait(Math.max(0, due - sender.nowMs))
      expect(sender.flush()).toHaveLength(1)
      times.push(sender.nowMs - start.ms)
      expect(sender.kcp.nextDeadline(sender.nowMs), 'later than now').toBeGreaterThan(sender.nowMs)
    }
    // 200, then half more each time.
    expect(times).toEqual([0, 200, 500, 950, 1625, 2637])
    sender.wait(100)
    sender.input({ cmd: ACK, sn: 0, ts: 2637, una: 1 })
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
  })

  test('5: a fraction of a millisecond in the clock makes no early wake-up', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.wait(0.75)
    sender.flush()
    const due = sender.kcp.nextDeadline(sender.nowMs)
    expect(due).toBe(start.ms + 200)
    sender.kcp.flush(due)
    expect(sender.segments()).toHaveLength(1)
  })

  test('5: a fast resend that an acknowledgement makes needless leaves nothing due', () => {
    const sender = new End(start, FAST)
    for (let index = 0; index < 3; index += 1) sender.send(`${index}`)
    sender.flush()
    sender.wait(30)
    sender.input({ cmd: ACK, sn: 1 })
    sender.input({ cmd: ACK, sn: 2 })
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(sender.nowMs)
    sender.input({ cmd: ACK, sn: 0, una: 3 })
    expect(sender.flush()).toEqual([])
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
  })

  test('6: the link is dead after a time without any acknowledgement, however many resends a short overload makes', () => {
    const sender = new End(start, { ...FAST, deadLinkMs: 1000, deadLink: 4 })
    sender.send('one')
    sender.flush()
    while (sender.kcp.state === 0 && sender.nowMs < start.ms + 5000) {
      sender.wait(Math.max(1, sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs))
      sender.flush()
    }
    expect(sender.nowMs - start.ms).toBeGreaterThanOrEqual(1000)
    expect(sender.nowMs - start.ms).toBeLessThan(3000)
    expect(sender.kcp.state).toBe(-1)
    sender.wait(10_000)
    expect(sender.flush(), 'silent from then on').toEqual([])
    expect(sender.send('two')).toBe(-4)
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
  })

  test('6: a process that slept for a minute does not take its link for dead', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.flush()
    sender.wait(60_000)
    expect(sender.flush()).toHaveLength(1)
    expect(sender.kcp.state).toBe(0)
    sender.wait(10)
    sender.input({ cmd: ACK, sn: 0, ts: 60_000, una: 1 })
    expect(sender.kcp.waitSnd).toBe(0)
  })

  test('6: however much was in flight while it slept', () => {
    const sender = new End(start, FAST)
    for (let index = 0; index < 20; index += 1) sender.send(`${index}`)
    sender.flush()
    sender.wait(60_000)
    expect(sender.flush()).toHaveLength(20)
    expect(sender.kcp.state).toBe(0)
    sender.wait(10)
    sender.input({ cmd: ACK, sn: 19, ts: 60_000, una: 20 })
    expect(sender.kcp.waitSnd).toBe(0)
  })

  test('6: a peer that answers that it has no room is alive, for as long as it says so', () => {
    const sender = new End(start, { ...FAST, deadLinkMs: 1000, deadLink: 4 })
    const receiver = new End(start, { rcvWnd: 4 })
    for (let index = 0; index < 20; index += 1) sender.send(`${index}`)
    const got: string[] = []
    for (let turn = 0; turn < 2000; turn += 1) {
      sender.wait(10)
      receiver.wait(10)
      sender.kcp.flush(sender.nowMs)
      deliver(sender, receiver)
      // It takes nothing for ten seconds.
      if (turn > 1000) got.push(...receiver.receiveAll())
      receiver.kcp.flush(receiver.nowMs)
      deliver(receiver, sender)
    }
    expect(sender.kcp.state).toBe(0)
    expect(got).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`))
  })

  test('6: a window that a handshake told is not overrun before the first datagram comes', () => {
    for (const told of [4, 300]) {
      const sender = new End(start, { ...FAST, sndWnd: 256, peerRcvWnd: told })
      for (let index = 0; index < 200; index += 1) sender.send(`${index}`)
      expect(sender.flush()).toHaveLength(Math.min(told, 128))
    }
  })

  test('7: later acknowledgements of a burst sent in one tick count for the segment missing among them', () => {
    const sender = new End(start, FAST)
    for (let index = 0; index < 5; index += 1) sender.send(`${index}`)
    expect(sender.flush()).toHaveLength(5)
    sender.wait(30)
    // 0, 1 and 3 are there, 2 is not, and 4 comes after: all of one tick, so all with one ts.
    sender.input({ cmd: ACK, sn: 1, una: 2 }, { cmd: ACK, sn: 3, una: 2 })
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBeGreaterThan(sender.nowMs)
    sender.input({ cmd: ACK, sn: 1, una: 2 }, { cmd: ACK, sn: 4, una: 2 })
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(sender.nowMs)
    expect(sender.flush().map(({ sn }) => sn)).toEqual([2])
    expect(sender.kcp.stats.fastResends).toBe(1)
  })

  test('8: acknowledgements of what was sent before a resend do not resend it again', () => {
    const sender = new End(start, FAST)
    for (let index = 0; index < 8; index += 1) sender.send(`${index}`)
    sender.flush()
    sender.wait(30)
    sender.input({ cmd: ACK, sn: 1 })
    sender.input({ cmd: ACK, sn: 2 })
    expect(sender.flush().map(({ sn }) => sn)).toEqual([0])
    for (const sn of [3, 4, 5, 6, 7]) sender.input({ cmd: ACK, sn })
    expect(sender.flush(), 'they were sent at 0, the resend at 30').toEqual([])
    sender.send('8')
    sender.send('9')
    sender.flush()
    sender.wait(30)
    sender.input({ cmd: ACK, sn: 8, ts: 30 })
    sender.input({ cmd: ACK, sn: 9, ts: 30 })
    expect(sender.flush().map(({ sn }) => sn)).toEqual([0])
  })

  test('9: a smaller MTU cuts what waits anew and never overruns a datagram', () => {
    // What is in flight lies on both sides of the wrap.
    const near = { ...start, sn: start.sn === 0 ? 0 : start.sn + 19 }
    const sender = new End(near, { ...FAST, mtu: 1024, sndWnd: 2 })
    const receiver = new End(near, { mtu: 1024 })
    const message = Buffer.from(Array.from({ length: 1500 }, (_, index) => index % 251))
    sender.send('first')
    sender.kcp.send(message)
    expect(sender.kcp.setMtu(524), 'nothing is in flight').toBe(true)
    expect(sender.kcp.waitSnd).toBe(4)
    sender.kcp.flush(sender.nowMs)
    expect(Math.max(...sender.sent.map(({ length }) => length))).toBeLessThanOrEqual(524)
    expect(sender.kcp.setMtu(224), 'a segment in flight is larger').toBe(false)
    expect(sender.kcp.mtu).toBe(524)
    for (let turn = 0; turn < 4; turn += 1) {
      deliver(sender, receiver)
      receiver.kcp.flush(receiver.nowMs)
      deliver(receiver, sender)
      sender.kcp.flush(sender.nowMs)
    }
    expect(receiver.receive()).toBe('first')
    const target = Buffer.alloc(1500)
    expect(receiver.kcp.receive(target)).toBe(1500)
    expect(target).toEqual(message)
  })

  test('9: small segments in flight do not keep the MTU up', () => {
    const sender = new End({ ...start, sn: start.sn === 0 ? 0 : start.sn + 19 }, FAST)
    for (const text of ['a', 'b', 'c']) sender.send(text)
    sender.flush()
    expect(sender.kcp.setMtu(100)).toBe(true)
    expect(sender.kcp.mss).toBe(76)
  })

  test('9: a message that is partly on its way keeps its fragments when the MTU changes', () => {
    const sender = new End(start, { ...FAST, mtu: 1024, sndWnd: 1 })
    sender.kcp.send(new Uint8Array(1500))
    sender.flush()
    sender.input({ cmd: ACK, sn: 0, una: 1 })
    expect(sender.kcp.setMtu(224), 'nothing in flight, but a fragment to follow').toBe(false)
    expect(sender.kcp.setMtu(724)).toBe(true)
    sender.send('next')
    expect(sender.flush()).toMatchObject([{ sn: 1, frg: 0, payload: { length: 500 } }])
    expect(sender.kcp.setMtu(224)).toBe(false)
    sender.input({ cmd: ACK, sn: 1, una: 2 })
    expect(sender.kcp.setMtu(224)).toBe(true)
    expect(sender.kcp.setMtu(1424)).toBe(true)
  })

  test('10: numbers and clock pass where 32 bits wrap without a trace', () => {
    const a = new End(start, FAST)
    const b = new End(start, FAST)
    const got: string[] = []
    for (let turn = 0; turn < 100; turn += 1) {
      a.send(`message ${turn}`)
      a.kcp.flush(a.nowMs)
      // Each fourth datagram is lost once.
      if (turn % 4 === 3) a.sent = []
      a.wait(5)
      b.wait(5)
      deliver(a, b)
      got.push(...b.receiveAll())
      b.kcp.flush(b.nowMs)
      a.wait(5)
      b.wait(5)
      deliver(b, a)
    }
    for (let turn = 0; turn < 20; turn += 1) {
      a.wait(20)
      a.kcp.flush(a.nowMs)
      deliver(a, b)
      b.kcp.flush(b.nowMs)
      deliver(b, a)
    }
    got.push(...b.receiveAll())
    expect(got).toEqual(Array.from({ length: 100 }, (_, turn) => `message ${turn}`))
    expect(a.kcp.sndUna).toBe(a.sn(100))
    expect(a.kcp.rxRto).toBeLessThan(60)
  })

  test('11: with congestion control on, the window grows one segment a datagram and falls as in the original', () => {
    const sender = new End(start, { nodelay: 1, interval: 10, resend: 2, mtu: 124, sndWnd: 64 })
    for (let index = 0; index < 40; index += 1) sender.send(`${index}`)
    expect(sender.flush()).toHaveLength(1)
    sender.wait(30)
    sender.input({ cmd: ACK, sn: 0, una: 1 })
    expect(sender.kcp.cwnd).toBe(2)
    expect(sender.flush()).toHaveLength(2)
    sender.wait(30)
    // Two at once: still one step; above ssthresh the growth is that of the original's incr.
    sender.input({ cmd: ACK, sn: 1, ts: 30, una: 3 }, { cmd: ACK, sn: 2, ts: 30, una: 3 })
    expect(sender.kcp.cwnd).toBe(2)
    for (let sn = 3; sn < 8; sn += 1) {
      sender.flush()
      sender.input({ cmd: ACK, sn, ts: 60, una: sn + 1 })
    }
    const grown = sender.kcp.cwnd
    expect(grown).toBeGreaterThan(2)
    sender.flush()
    sender.wait(1000)
    sender.flush()
    expect(sender.kcp.cwnd).toBe(1)
    expect(sender.kcp.ssthresh).toBe(Math.max(2, grown >> 1))
  })

  test('12: a datagram before the first flush is answered, and gives a right round trip', () => {
    const receiver = new End(start)
    receiver.wait(5)
    expect(receiver.input({ ts: 3, payload: Buffer.from('early') })).toBe(0)
    expect(receiver.receive()).toBe('early')
    expect(receiver.flush()).toMatchObject([{ cmd: ACK, sn: 0, ts: 3, una: 1 }])

    const sender = new End(start, FAST)
    sender.wait(5000)
    sender.input({ payload: Buffer.from('early') })
    sender.send('one')
    sender.flush()
    sender.wait(37)
    sender.input({ cmd: ACK, sn: 0, ts: 5000, una: 1 })
    expect(sender.kcp.rxSrtt).toBe(37)
  })

  test('13: a round trip is measured to the moment of input, not to the last flush', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.flush()
    sender.wait(37)
    sender.input({ cmd: ACK, sn: 0, ts: 0, una: 1 })
    expect(sender.kcp.rxSrtt).toBe(37)
    expect(sender.kcp.rxRttvar).toBe(18)
    expect(sender.kcp.rxRto).toBe(37 + 72)
  })

  test('14: what counts as sent has been on the wire, even when output() throws', () => {
    let isBroken = true
    const seen: number[] = []
    const kcp = new Kcp(
      CONV,
      (_buffer, _offset, length) => {
        if (isBroken) throw new Error('no route')
        seen.push(length)
      },
      { ...FAST, mtu: 124, nowMs: start.ms, initialSn: start.sn },
    )
    for (let index = 0; index < 4; index += 1) kcp.send(KILOBYTE.subarray(0, 100))
    expect(() => kcp.flush(start.ms)).toThrow('no route')
    isBroken = false
    expect(kcp.nextDeadline(start.ms)).toBe(start.ms)
    kcp.flush(start.ms)
    expect(seen, 'the rest goes at once, the one that output refused after its timeout').toEqual([
      124, 124, 124,
    ])
    kcp.flush(start.ms + 200)
    expect(seen).toHaveLength(7)
  })

  test('14: what is to go again, and has not been on the wire, is due at once when output() threw', () => {
    let isBroken = false
    const seen: number[] = []
    const kcp = new Kcp(
      CONV,
      (buffer, offset) => {
        if (isBroken) throw new Error('no route')
        seen.push((decode(buffer.subarray(offset, offset + 124))[0]!.sn - start.sn) >>> 0)
      },
      { ...FAST, mtu: 124, nowMs: start.ms, initialSn: start.sn },
    )
    for (let index = 0; index < 4; index += 1) kcp.send(KILOBYTE.subarray(0, 100))
    kcp.flush(start.ms)
    isBroken = true
    expect(() => kcp.flush(start.ms + 200)).toThrow('no route')
    isBroken = false
    kcp.flush(start.ms + 200)
    // As sent, the first of the four counts: it was lost on the way out, and goes after its timeout.
    expect(seen).toEqual([0, 1, 2, 3, 1, 2, 3])
    kcp.flush(start.ms + 500)
    expect(seen.slice(7)).toEqual([0, 1, 2, 3])
  })

  test('15: acknowledgements that wait are bounded, whatever arrives between two flushes', () => {
    const receiver = new End(start, { rcvWnd: 128, ackAll: true })
    for (let round = 0; round < 5000; round += 1) receiver.input({ sn: round % 100, ts: round })
    receiver.flush()
    expect(receiver.kcp.stats.bytesOut / 24).toBeLessThanOrEqual(64 + 2 * 128)
    expect(receiver.kcp.stats.datagramsIn).toBe(5000)
  })

  test('16: one bad segment refuses its whole datagram, the good ones before it too', () => {
    const receiver = new End(start)
    const good = { payload: Buffer.from('good') }
    expect(receiver.input(good, { cmd: 85 })).toBe(-3)
    expect(receiver.input(good, { cmd: 0 })).toBe(-3)
    expect(receiver.input(good, { conv: CONV + 1 })).toBe(-1)
    const torn = encode({ sn: start.sn, una: start.sn, payload: KILOBYTE }).subarray(0, 1023)
    const both = Buffer.concat([encode({ sn: start.sn, una: start.sn }), torn])
    expect(receiver.kcp.input(both, 0, both.length, receiver.nowMs)).toBe(-2)
    expect(receiver.kcp.rcvNxt).toBe(start.sn)
    expect(receiver.kcp.stats).toMatchObject({ refused: 4, datagramsIn: 0, segmentsIn: 0 })
    expect(receiver.flush()).toEqual([])
  })

  test('17: an una, a ts or an acknowledgement that nobody could have sent changes nothing', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.send('two')
    sender.flush()
    sender.wait(20)
    expect(sender.input({ cmd: ACK, sn: 0, una: 3 }), 'beyond sndNxt').toBe(-4)
    expect(sender.kcp.waitSnd).toBe(2)
    // An acknowledgement of what was not sent, and times from before the start or from the future.
    expect(sender.input({ cmd: ACK, sn: 2, ts: 19 })).toBe(0)
    expect(sender.input({ cmd: ACK, sn: 2, ts: 19 }), 'the same again').toBe(0)
    expect(sender.input({ cmd: ACK, sn: 0, ts: -1000 })).toBe(0)
    expect(sender.kcp.rxSrtt).toBe(0)
    sender.input({ cmd: ACK, sn: 1, ts: 50 })
    expect(sender.kcp.rxSrtt).toBe(0)
    sender.wait(100_000)
    sender.input({ cmd: ACK, sn: 1, ts: 30 })
    expect(sender.kcp.rxRto, 'a minute is no round trip').toBe(200)
  })

  test('18: a jump of the clock, either way, loses nothing and spins nothing', () => {
    for (const jump of [3_600_000, -3_600_000]) {
      const sender = new End(start, { ...FAST, deadLinkMs: 0 })
      sender.send('one')
      sender.flush()
      sender.wait(jump)
      sender.flush()
      const due = sender.kcp.nextDeadline(sender.nowMs)
      expect(due).toBeGreaterThan(sender.nowMs)
      sender.send('two')
      expect(sender.flush().some(({ sn }) => sn === 1)).toBe(true)
      sender.input({ cmd: ACK, sn: 1, ts: jump, una: 2 })
      expect(sender.kcp.waitSnd).toBe(0)
      expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(Infinity)
    }
  })

  test('19: conversation 0 is reserved', () => {
    for (const conv of [0, -1, 2 ** 32, 1.5, Number.NaN])
      expect(() => new Kcp(conv, () => undefined)).toThrow(RangeError)
    expect(new Kcp(2 ** 32 - 1, () => undefined).conv).toBe(2 ** 32 - 1)
  })

  test('20: from a datagram that error correction recovered late, neither window nor round trip is read', () => {
    const sender = new End(start, FAST)
    sender.send('one')
    sender.flush()
    sender.wait(900)
    const late = encode(
      { cmd: ACK, sn: start.sn, ts: start.ms, una: start.sn, wnd: 3 },
      { sn: start.sn, una: start.sn, wnd: 3, payload: Buffer.from('data') },
    )
    expect(sender.kcp.input(late, 0, late.length, sender.nowMs, true)).toBe(0)
    expect(sender.kcp.rxSrtt).toBe(0)
    expect(sender.kcp.rmtWnd).toBe(128)
    expect(sender.kcp.waitSnd).toBe(0)
    expect(sender.receive()).toBe('data')
  })

  test('21: a first datagram that comes twice is delivered once and acknowledged twice', () => {
    const receiver = new End(start)
    const first = { cmd: PUSH, payload: Buffer.from('hello') }
    receiver.input(first)
    expect(receiver.flush()).toMatchObject([{ cmd: ACK, sn: 0, una: 1 }])
    receiver.input({ ...first, ts: 40 })
    expect(receiver.flush()).toMatchObject([{ cmd: ACK, sn: 0, ts: 40, una: 1 }])
    expect(receiver.receiveAll()).toEqual(['hello'])
    expect(receiver.kcp.stats.duplicates).toBe(1)
  })
})
