import { describe, expect, test } from 'vitest'
import { KCP_CLOSE, KcpError } from '../../src/index.ts'
import { OwnClose, PeerClose } from '../../src/socket/closes.ts'

const INFO = { code: 4000, reason: 'enough', by: 'local' } as const
const RTO_MS = 30

describe('a close of this end', () => {
  test('delivers before it tells, and gives up when its time is up before that', () => {
    const close = new OwnClose(INFO, 5000, 100)
    expect(close.next(false, 100)).toBe('deliver')
    expect(close.dueMs).toBe(5100)
    expect(close.next(false, 5099)).toBe('deliver')
    expect(close.next(false, 5100)).toBe('giveUp')
    const { error, ...rest } = close.undelivered()
    const reason = 'not all was delivered: that took longer than 5000 ms'
    expect(rest).toEqual({ code: 1006, reason, by: 'network' })
    expect(error?.code).toBe('KCP_TIMEOUT')
  })

  test('tells six times, no sooner than the other end can have answered, and ends', () => {
    const close = new OwnClose(INFO, 5000, 0)
    for (const [tells, rtoMs] of [RTO_MS, RTO_MS, 250, RTO_MS, RTO_MS, RTO_MS].entries()) {
      const nowMs = tells < 3 ? tells * 100 : 450 + (tells - 3) * 100
      expect(close.next(true, nowMs)).toBe('tell')
      expect(close.isTold).toBe(tells > 0)
      close.told(nowMs, rtoMs)
      const againMs = nowMs + Math.max(100, rtoMs)
      expect(close.dueMs).toBe(againMs)
      expect(close.next(true, againMs - 1)).toBe('wait')
    }
    expect(close.next(true, 750)).toBe('end')
  })

  test('is told at least once, however late all was delivered, and then ends', () => {
    const close = new OwnClose(INFO, 50, 0)
    expect(close.next(true, 60)).toBe('tell')
    close.told(60, RTO_MS)
    expect(close.next(true, 60)).toBe('end')
  })

  test('that has a reason of its own keeps it when not all was delivered', () => {
    const error = new KcpError('KCP_TOO_LARGE', 'too large')
    const info = { ...INFO, error }
    expect(new OwnClose(info, 5000, 0).undelivered()).toBe(info)
  })
})

test('a close of the other end waits for its reader as long as it reads', () => {
  const close = new PeerClose({ ...INFO, by: 'peer' }, 1000, 0)
  expect(close.readByMs).toBe(1000)
  close.read(700)
  expect(close.readByMs).toBe(1700)
  expect(close.unread()).toMatchObject({
    code: KCP_CLOSE.slowReader,
    by: 'local',
    error: { code: 'KCP_SLOW_READER' },
  })
})
