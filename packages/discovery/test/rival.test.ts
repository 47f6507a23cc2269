import { describe, expect, it } from 'vitest'
import { Rival } from '../src/rival.ts'

/** Looks every 500 ms at a lease whose end `endsAt` gives, as whole seconds left. */
function watch(endsAt: (now: number) => number, forMs: number): number | undefined {
  const rival = new Rival('1')
  for (let now = 0; now <= forMs; now += 500) {
    rival.observe(Math.floor((endsAt(now) - now) / 1000), now - 20, now + 20)
    if (rival.isAlive) return now
  }
  return undefined
}

describe('Rival', () => {
  it('sees no life in a lease that runs out, whatever fraction of a second it ends at', () => {
    for (let end = 100; end <= 10_000; end += 99) {
      expect(
        watch(() => end, 12_000),
        `ends at ${end}`,
      ).toBeUndefined()
    }
  })

  it('sees the life of a process within about one TTL and two seconds', () => {
    for (const ttlMs of [2000, 3000, 10_000]) {
      for (let phase = 0; phase < ttlMs / 3; phase += 250) {
        const lastBeat = (now: number) => now - ((now + phase) % (ttlMs / 3))
        const seen = watch((now) => lastBeat(now) + ttlMs, 60_000)
        expect(seen, `TTL ${ttlMs}, phase ${phase}`).toBeLessThanOrEqual(ttlMs + 2500)
      }
    }
  })

  it('does not fall for one renewal, which a restart of etcd gives to the dead too', () => {
    expect(watch((now) => (now < 4000 ? 5000 : 14_000), 20_000)).toBeUndefined()
  })
})
