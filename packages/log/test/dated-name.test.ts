import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DatedNames, type Period } from '../src/dated-name.ts'
import { inZone } from './zone.ts'

const MINUTE = 60_000

describe('DatedNames', () => {
  it.each<[Period, string]>([
    ['day', 'game_1.2026-11-22.log'],
    ['hour', 'game_1.2026-11-22_09.log'],
    ['minute', 'game_1.2026-11-22_09-05.log'],
  ])('names the file of a %s', (period, name) => {
    const names = new DatedNames('game_1', period, true)
    expect(names.of(Date.UTC(2026, 10, 22, 9, 5, 59, 999))).toBe(name)
    expect(names.owns(name)).toBe(true)
  })

  it('changes the name with the first millisecond of the next day, and back when clocks are set back', () => {
    const names = new DatedNames('a', 'day', true)
    const midnight = Date.UTC(2027, 0, 1)
    expect(names.of(midnight - 1)).toBe('a.2026-12-31.log')
    expect(names.of(midnight)).toBe('a.2027-01-01.log')
    expect(names.of(midnight - 1)).toBe('a.2026-12-31.log')
  })

  it('owns its own files and no others', () => {
    const names = new DatedNames('a.b', 'day', true)
    const others = [
      'a.b.2026-11-22_09.log',
      'a.b.log',
      'axb.2026-11-22.log',
      'a.b.c.2026-11-22.log',
    ]
    for (const name of [...others, 'a.2026-11-22.log', 'a.b.2026-11-22.log.gz'])
      expect(names.owns(name)).toBe(false)
    expect(names.owns('a.b.2026-11-22.log')).toBe(true)
  })

  describe.each([
    'America/New_York',
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'America/Havana',
    'Asia/Kolkata',
  ])('in %s', (zone) => {
    let restore: () => void
    beforeEach(() => (restore = inZone(zone)))
    afterEach(() => restore())

    it('names the whole of a year by the local calendar, both nights of the clock change included', () => {
      const names = {
        day: new DatedNames('a', 'day', false),
        hour: new DatedNames('a', 'hour', false),
      }
      const local = new Intl.DateTimeFormat('sv-SE', {
        ...{ timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit' },
      })
      const start = Date.UTC(2026, 0, 1)
      const wrong: string[] = []
      // Every 10 minutes, and so every offset that zones have.
      for (let time = start; time < start + 366 * 1440 * MINUTE; time += 30 * MINUTE) {
        const [date, hour] = local.format(time).split(' ') as [string, string]
        const right = [`a.${date}.log`, `a.${date}_${hour.slice(0, 2)}.log`].join()
        const found = [names.day.of(time), names.hour.of(time)].join()
        if (found !== right) wrong.push(`${found} should be ${right}`)
      }
      expect(wrong).toEqual([])
    })
  })

  it('puts both hours of the night when clocks go back into one file', () => {
    const restore = inZone('America/New_York')
    try {
      const names = new DatedNames('a', 'hour', false)
      const first = Date.UTC(2026, 10, 1, 5, 30)
      expect(names.of(first)).toBe('a.2026-11-01_01.log')
      expect(names.of(first + 60 * MINUTE)).toBe('a.2026-11-01_01.log')
      expect(names.of(first + 120 * MINUTE)).toBe('a.2026-11-01_02.log')
    } finally {
      restore()
    }
  })
})
