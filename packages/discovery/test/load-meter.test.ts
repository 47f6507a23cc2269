import { SteppedClock, eventually } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { LoadMeter } from '../src/index.ts'

describe('a load meter', () => {
  it('is as full as what there is least of, over windows', async () => {
    const clock = new SteppedClock()
    const readings = { cpu: 0, delay: 0, closed: 0 }
    let sessions = 0
    const meter = new LoadMeter({
      clock,
      sessions: () => sessions,
      maxSessions: 100,
      readings: {
        cpuMs: () => readings.cpu,
        delayMs: () => readings.delay,
        close: () => void (readings.closed += 1),
      },
    })
    expect(meter.read()).toEqual({ pressure: 0, delayMs: 0, cpu: 0, sessions: 0 })
    readings.cpu = 300
    readings.delay = 20
    await clock.advance(500)
    sessions = 10
    expect(meter.read()).toMatchObject({ pressure: 0.1, cpu: 0 })
    await clock.advance(500)
    expect(meter.read()).toEqual({ pressure: 0.3, delayMs: 20, cpu: 0.3, sessions: 10 })
    sessions = 80
    expect(meter.read().pressure).toBe(0.8)
    readings.delay = 500
    await clock.advance(1000)
    expect(meter.read()).toMatchObject({ pressure: 1, delayMs: 500, cpu: 0 })
    meter.close()
    expect(readings.closed).toBe(1)
  })

  it('measures this process', async () => {
    using meter = new LoadMeter({ windowMs: 20, inFlight: () => 3 })
    await eventually(() => {
      for (let i = 0; i < 1e6; i += 1) Math.sqrt(i)
      const { cpu, delayMs, inFlight } = meter.read()
      return cpu! > 0 && delayMs! >= 0 && inFlight === 3
    })
  })

  it('refuses limits that mean nothing', () => {
    expect(() => new LoadMeter({ maxSessions: 0 })).toThrow('maxSessions must be a number from 1')
  })
})
