import { describe, expect, test } from 'vitest'
import { ACK, deliver, End, PUSH, STARTS } from './support/wire.ts'

const FAST = { nodelay: 1, interval: 10, resend: 2, nc: true } as const

describe.each(STARTS)('held acknowledgements, with numbers that begin near $where', (start) => {
  const receiver = (): End => {
    const end = new End(start, FAST)
    end.kcp.holdsAcks = true
    return end
  }
  const due = (end: End): number => end.kcp.nextDeadline(end.nowMs) - end.nowMs

  test('go with what is sent next, and their wait is no part of the round trip', () => {
    const near = new End(start, FAST)
    const far = receiver()
    near.kcp.ackDelayMs = 100
    near.send('state')
    near.kcp.flush(near.nowMs)
    far.wait(20)
    deliver(near, far)
    expect(due(far)).toBe(Infinity)
    expect(far.kcp.hasAcks).toBe(true)
    far.wait(45)
    far.send('input')
    far.kcp.flush(far.nowMs)
    expect(far.sent).toHaveLength(1)
    expect(far.kcp.hasAcks).toBe(false)
    near.wait(20 + 45 + 20)
    deliver(far, near)
    expect(near.kcp.waitSnd).toBe(0)
    expect(near.kcp.rxSrtt).toBe(40)
    expect(near.kcp.stats.timeoutResends).toBe(0)
  })

  test('that came at different times: the other end reads from them at most the time between them too much', () => {
    const PATH_MS = 20
    const pushedMs = [0, 30, 35, 70]
    const run = (ackAll: boolean): number[] => {
      const near = new End(start, FAST)
      const far = new End(start, { ...FAST, ackAll })
      far.kcp.holdsAcks = true
      far.wait(PATH_MS)
      for (const [index, ms] of pushedMs.entries()) {
        const sinceMs = ms - (pushedMs[index - 1] ?? 0)
        near.wait(sinceMs)
        far.wait(sinceMs)
        near.send(`state ${index}`)
        near.kcp.flush(near.nowMs)
        deliver(near, far)
        expect(due(far)).toBe(Infinity)
      }
      far.wait(11)
      far.send('input')
      const arrivesMs = pushedMs.at(-1)! + PATH_MS + 11 + PATH_MS
      // What the other end takes for the round trip of each.
      return far
        .flush()
        .filter(({ cmd }) => cmd === ACK)
        .map(({ ts }) => arrivesMs - ts)
    }
    // The newest is exact, and by default it stands for all.
    expect(run(false)).toEqual([2 * PATH_MS])
    const last = pushedMs.at(-1)!
    expect(run(true)).toEqual(pushedMs.map((ms) => 2 * PATH_MS + last - ms))
  })

  test('are due at once when a segment is missing, when there are eight, and when they are held no more', () => {
    const gap = receiver()
    gap.input({ sn: 1, payload: Buffer.from('b') })
    expect(due(gap)).toBe(0)

    const many = receiver()
    for (let sn = 0; sn < 8; sn += 1) {
      expect(due(many)).toBe(Infinity)
      many.input({ sn, payload: Buffer.from('x') })
    }
    expect(due(many)).toBe(0)
    expect(many.flush()).toMatchObject([{ cmd: ACK, sn: 7, una: 8 }])
    expect(due(many)).toBe(Infinity)

    const hurried = receiver()
    hurried.input({ payload: Buffer.from('a') })
    hurried.kcp.holdsAcks = false
    expect(due(hurried)).toBe(0)
  })

  test('are waited for before anything is sent again, each time', () => {
    const sender = new End(start, FAST)
    sender.kcp.ackDelayMs = 100
    sender.send('one')
    sender.flush()
    // 200 is the timeout before the first round trip is known; with nodelay 1 it grows by half.
    expect(due(sender)).toBe(300)
    sender.wait(300)
    expect(sender.flush()).toMatchObject([{ cmd: PUSH, sn: 0 }])
    expect(due(sender)).toBe(450)
  })
})
