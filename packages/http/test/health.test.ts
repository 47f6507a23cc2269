import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { Health, type HealthCheck } from '../src/health.ts'

function setUp(checks: Record<string, HealthCheck>) {
  const clock = new SteppedClock()
  return { clock, health: new Health(checks, { timeoutMs: 1_000, clock }) }
}

describe('Health', () => {
  it('is fine without checks', async () => {
    expect(await setUp({}).health.report()).toEqual({ ok: true, checks: {} })
  })

  it('is as good as its worst check, and says which that is', async () => {
    const { clock, health } = setUp({
      etcd: () => true,
      store: async () => {},
      gates: () => false,
      rank: () => {
        throw Object.assign(new Error('password of the database: 1234'), { code: 'RANK_AWAY' })
      },
      mail: async () => {
        throw new Error('secret')
      },
    })
    expect(await health.report()).toEqual({
      ok: false,
      checks: {
        etcd: { ok: true },
        store: { ok: true },
        gates: { ok: false, reason: 'failed' },
        rank: { ok: false, reason: 'RANK_AWAY' },
        mail: { ok: false, reason: 'failed' },
      },
    })
    expect(clock.pending).toBe(0)
  })

  it('does not wait for ever, nor start a check that is still running', async () => {
    const gate = Promise.withResolvers<boolean>()
    let runs = 0
    const { clock, health } = setUp({
      slow: () => {
        runs += 1
        return gate.promise
      },
    })
    for (let report = 0; report < 2; report += 1) {
      const [result] = await Promise.all([health.report(), clock.advance(1_000)])
      expect(result).toEqual({ ok: false, checks: { slow: { ok: false, reason: 'timeout' } } })
    }
    expect(runs).toBe(1)
    gate.resolve(true)
    await clock.settle()
    expect(await health.report()).toMatchObject({ ok: true })
    expect(runs).toBe(2)
  })
})
