import { describe, expect, test } from 'vitest'
import { ACK, End, STARTS, WINS } from './support/wire.ts'

const FAST = { nodelay: 1, interval: 10, resend: 2, nc: true } as const

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  test.each([
    // A full delay has an eighth of the RTO added the first time, and doubles.
    { nodelay: 0, times: [225, 400, 800, 1600] },
    { nodelay: 1, times: [200, 300, 450, 675] },
    { nodelay: 2, times: [200, 300, 400, 500] },
  ])('backs off as the original does with nodelay $nodelay', ({ nodelay, times }) => {
    const sender = new End(start, { nodelay, interval: 10, nc: true, deadLinkMs: 0 })
    sender.send('one')
    sender.flush()
    const waits: number[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      const wait = sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs
      waits.push(wait)
      sender.wait(wait)
      expect(sender.flush()).toHaveLength(1)
    }
    expect(waits).toEqual(times)
    for (let turn = 0; turn < 20; turn += 1) {
      sender.wait(sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs)
      sender.flush()
    }
    const longest = sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs
    expect(longest).toBeLessThanOrEqual(60_000)
  })

  test('also the first timeout is a minute at most, whatever the round trip', () => {
    const sender = new End(start, { nodelay: 0, interval: 10, nc: true, deadLinkMs: 0 })
    for (let sn = 0; sn < 40; sn += 1) {
      sender.send('x')
      const ts = sender.nowMs - start.ms
      sender.flush()
      sender.wait(59_000)
      sender.input({ cmd: ACK, sn, ts, una: sn + 1 })
    }
    sender.send('x')
    sender.flush()
    expect(sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs).toBe(60_000)
  })

  test('a conversation of any age measures round trips', () => {
    for (const ageMs of [2 ** 31 - 50, 2 ** 31 + 50, 2 ** 32 - 50, 2 ** 32 + 1000]) {
      const sender = new End(start, FAST)
      sender.wait(ageMs)
      for (let sn = 0; sn < 3; sn += 1) {
        sender.send('x')
        sender.flush()
        const ts = sender.nowMs - start.ms
        sender.wait(40)
        sender.input({ cmd: ACK, sn, ts, una: sn + 1 })
      }
      expect(sender.kcp.rxSrtt, `after ${ageMs} ms`).toBe(40)
    }
  })

  test('what has as many later acknowledgements already goes again when fewer are asked for', () => {
    const sender = new End(start, { ...FAST, resend: 0 })
    for (let index = 0; index < 4; index += 1) sender.send(`${index}`)
    sender.flush()
    sender.wait(30)
    sender.input({ cmd: ACK, sn: 1 })
    sender.input({ cmd: ACK, sn: 2 })
    expect(sender.flush()).toEqual([])
    sender.kcp.setNoDelay(-1, -1, 2)
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBe(sender.nowMs)
    expect(sender.flush().map(({ sn }) => sn)).toEqual([0])
    expect(sender.kcp.nextDeadline(sender.nowMs)).toBeGreaterThan(sender.nowMs)
  })

  test('a peer that opens and closes its window and acknowledges nothing does not have all of it again each time', () => {
    const sender = new End(start, { ...FAST, sndWnd: 128, deadLinkMs: 0 })
    for (let index = 0; index < 100; index += 1) sender.send(`${index}`)
    for (let turn = 0; turn < 6000; turn += 1) {
      sender.input({ cmd: WINS, wnd: turn % 2 === 0 ? 0 : 128 })
      sender.flush()
      sender.wait(10)
    }
    // A minute of timeouts, each half longer, once more from the beginning.
    expect(sender.kcp.stats.segmentsOut / 100).toBeLessThan(26)
  })

  test('what was sent again in vain goes within a timeout of now when that is asked for, not before', () => {
    const sender = new End(start, { ...FAST, deadLinkMs: 0 })
    sender.send('one')
    for (let turn = 0; turn < 8; turn += 1) {
      sender.wait(Math.max(0, sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs))
      sender.flush()
    }
    const wait = sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs
    expect(wait).toBeGreaterThan(2000)
    sender.wait(50)
    sender.kcp.resendSoon(sender.nowMs)
    expect(sender.kcp.nextDeadline(sender.nowMs) - sender.nowMs).toBe(sender.kcp.rxRto - 50)
    sender.wait(sender.kcp.rxRto)
    expect(sender.flush()).toHaveLength(1)
  })

  test('keeps the timeout within its bounds', () => {
    const sender = new End(start, FAST)
    const echo = (ms: number): void => {
      sender.send('x')
      const sn = sender.flush().at(-1)!.sn
      const ts = sender.nowMs - start.ms
      sender.wait(ms)
      sender.input({ cmd: ACK, sn, ts, una: sn + 1 })
    }
    for (let turn = 0; turn < 30; turn += 1) echo(1)
    expect(sender.kcp.rxRto).toBe(30)
    sender.kcp.setNoDelay(0)
    echo(1)
    expect(sender.kcp.rxRto).toBe(100)
    sender.kcp.setNoDelay(1, 5000)
    echo(1)
    expect(sender.kcp.rxRto).toBe(5001)
    for (let turn = 0; turn < 40; turn += 1) echo(59_000)
    expect(sender.kcp.rxRto).toBe(60_000)
  })

  test('on another path it measures anew, from what it sends from then on', () => {
    const sender = new End(start, { nodelay: 1, interval: 10, resend: 2, sndWnd: 64 })
    for (let sn = 0; sn < 20; sn += 1) {
      sender.send('x')
      sender.flush()
      sender.wait(300)
      sender.input({ cmd: ACK, sn, ts: 300 * sn, una: sn + 1 })
    }
    const before = { srtt: sender.kcp.rxSrtt, cwnd: sender.kcp.cwnd }
    expect(before.srtt).toBe(300)
    expect(before.cwnd).toBeGreaterThan(4)
    sender.send('sent on the old path')
    sender.flush()
    sender.wait(5)
    sender.kcp.resetPath(sender.nowMs)
    const { rxSrtt, rxRttvar, rxRto, cwnd, ssthresh } = sender.kcp
    expect([rxSrtt, rxRttvar, rxRto, cwnd, ssthresh]).toEqual([0, 0, 200, 1, 2])
    sender.wait(5)
    sender.input({ cmd: ACK, sn: 20, ts: 6000, una: 21 })
    expect(sender.kcp.rxSrtt).toBe(0)
    sender.send('and on the new one')
    sender.flush()
    sender.wait(20)
    sender.input({ cmd: ACK, sn: 21, ts: 6010, una: 22 })
    expect([sender.kcp.rxSrtt, sender.kcp.rxRto]).toEqual([20, 60])
  })

  test('fast resend gives up on a segment after fastlimit transmissions, unless there is no limit', () => {
    for (const [fastlimit, expected] of [
      [2, 2],
      [0, 4],
    ] as const) {
      const sender = new End(start, { ...FAST, resend: 1, fastlimit })
      sender.send('lost')
      sender.flush()
      for (let turn = 1; turn <= 4; turn += 1) {
        sender.send('more')
        sender.flush()
        sender.wait(1)
        sender.input({ cmd: ACK, sn: turn, ts: turn - 1 })
        sender.flush()
      }
      expect(sender.kcp.stats.fastResends).toBe(expected)
    }
  })

  test('a segment whose timeout comes first keeps its count, and is resent with the next flush as in the original', () => {
    const sender = new End(start, FAST)
    for (let index = 0; index < 3; index += 1) sender.send(`${index}`)
    sender.flush()
    sender.wait(200)
    sender.input({ cmd: ACK, sn: 1, ts: -1 })
    sender.input({ cmd: ACK, sn: 1, ts: 0 })
    sender.input({ cmd: ACK, sn: 2, ts: 0 })
    expect(sender.flush().map(({ sn }) => sn)).toEqual([0])
    expect(sender.kcp.stats).toMatchObject({ timeoutResends: 1, fastResends: 0 })
    expect(sender.kcp.nextDeadline(sender.nowMs), 'no reason to flush for').toBeGreaterThan(
      sender.nowMs,
    )
    sender.wait(1)
    sender.send('3')
    expect(sender.flush().map(({ sn }) => sn)).toEqual([0, 3])
    expect(sender.kcp.stats.fastResends).toBe(1)
  })
})
