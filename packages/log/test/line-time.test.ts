import { describe, expect, it } from 'vitest'
import { LineTimes } from '../src/line-time.ts'
import { inZone } from './zone.ts'

describe('LineTimes', () => {
  it('writes the clock to the millisecond', () => {
    const times = new LineTimes('clock', true)
    expect(times.text(Date.UTC(2026, 10, 22, 9, 5, 7, 8))).toBe('09:05:07.008')
    expect(times.text(Date.UTC(2026, 10, 22, 9, 5, 59, 999))).toBe('09:05:59.999')
    expect(times.text(Date.UTC(2026, 10, 22, 9, 6))).toBe('09:06:00.000')
  })

  it('writes what Date writes, in UTC', () => {
    const times = new LineTimes('full', true)
    for (const time of [0, 1, 59_999, 60_000, Date.UTC(2026, 1, 28, 23, 59, 59, 999), 1e12 + 0.7])
      expect(times.text(time)).toBe(new Date(time).toISOString())
  })

  it('tells the two hours apart when clocks go back', () => {
    const restore = inZone('Europe/Berlin')
    try {
      const times = new LineTimes('full', false)
      const first = Date.UTC(2026, 9, 25, 0, 30)
      expect(times.text(first)).toBe('2026-10-25T02:30:00.000+02:00')
      expect(times.text(first + 3_600_000)).toBe('2026-10-25T02:30:00.000+01:00')
      expect(new LineTimes('clock', false).text(first)).toBe('02:30:00.000')
    } finally {
      restore()
    }
  })

  it('writes offsets with minutes and to the west', () => {
    for (const [zone, text] of [
      ['Asia/Kolkata', '1970-01-01T05:30:00.000+05:30'],
      ['America/St_Johns', '1969-12-31T20:30:00.000-03:30'],
    ] as const) {
      const restore = inZone(zone)
      try {
        expect(new LineTimes('full', false).text(0)).toBe(text)
      } finally {
        restore()
      }
    }
  })
})
