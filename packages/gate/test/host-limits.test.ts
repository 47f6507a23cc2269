import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { countedHost, HostLimits } from '../src/host-limits.ts'

describe('countedHost', () => {
  it('does not count this machine itself', () => {
    for (const remote of [
      'tcp://127.0.0.1:5000',
      'tcp://127.3.2.1:5000',
      'ws://localhost:80/play',
      'tcp://[::1]:9',
      'tcp://[::ffff:127.0.0.1]:9',
    ])
      expect(countedHost(remote)).toBeUndefined()
  })

  it('counts an IPv4 address by itself, also when it is written as IPv6', () => {
    expect(countedHost('tcp://10.1.2.3:5000')).toBe('10.1.2.3')
    expect(countedHost('tcp://[::ffff:10.1.2.3]:5000')).toBe('10.1.2.3')
  })

  it('counts the addresses of one IPv6 /64 together, however they are written', () => {
    const one = countedHost('tcp://[2001:db8:0:1::5]:5000')
    expect(countedHost('tcp://[2001:0db8:0000:0001:ffff:1:2:3]:1')).toBe(one)
    expect(countedHost('tcp://[2001:db8:0:2::5]:5000')).not.toBe(one)
    expect(countedHost('tcp://[2001:db8::1]:5000')).toBe(countedHost('tcp://[2001:db8::2]:5000'))
  })

  it('takes what it cannot read as one host', () => {
    expect(countedHost('')).toBe('')
    expect(countedHost('sim://player_1:3')).toBe('player_1')
  })
})

describe('HostLimits', () => {
  it('refuses a link past the number of one host until another is released', () => {
    const limits = new HostLimits({ maxLinks: 2, perSecond: 0, burst: 1 }, new SteppedClock())
    expect([limits.take('a'), limits.take('a'), limits.take('a')]).toEqual(['ok', 'ok', 'too many'])
    expect(limits.take('b')).toBe('ok')
    limits.release('a')
    expect(limits.take('a')).toBe('ok')
  })

  it('refuses links past the burst until time has passed', async () => {
    const clock = new SteppedClock()
    const limits = new HostLimits({ maxLinks: 100, perSecond: 2, burst: 3 }, clock)
    const verdicts = (): string[] => Array.from({ length: 4 }, () => limits.take('a'))
    expect(verdicts()).toEqual(['ok', 'ok', 'ok', 'too fast'])
    await clock.advance(1000)
    expect(verdicts()).toEqual(['ok', 'ok', 'too fast', 'too fast'])
    await clock.advance(60_000)
    expect(verdicts()).toEqual(['ok', 'ok', 'ok', 'too fast'])
  })

  it('forgets hosts that have been idle, so that a scan of addresses costs bounded memory', async () => {
    const clock = new SteppedClock()
    const limits = new HostLimits({ maxLinks: 1, perSecond: 10, burst: 1 }, clock)
    for (let round = 0; round < 20; round += 1) {
      for (let host = 0; host < 1000; host += 1) {
        const name = `${round}.${host}`
        limits.take(name)
        limits.release(name)
      }
      await clock.advance(1000)
    }
    expect(limits.size).toBeLessThan(10_000)
  })
})
