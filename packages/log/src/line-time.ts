import { two } from './dated-name.ts'

const MINUTE_MS = 60_000

/**
 * Writes the time of lines: `clock` as `14:03:07.123`, `full` as `2026-11-22T14:03:07.123+01:00`, with
 * the offset because local times of one night a year happen twice.
 */
export class LineTimes {
  readonly #style: 'clock' | 'full'
  readonly #utc: boolean
  #minute = Number.NaN
  #before = ''
  #after = ''

  constructor(style: 'clock' | 'full', utc: boolean) {
    this.#style = style
    this.#utc = utc
  }

  /** All but the seconds is computed once per minute. */
  text(timeMs: number): string {
    const minute = Math.floor(timeMs / MINUTE_MS)
    if (minute !== this.#minute) this.#startMinute(minute)
    const inMinute = Math.floor(timeMs - minute * MINUTE_MS)
    const seconds = Math.floor(inMinute / 1000)
    const millis = String(inMinute - seconds * 1000).padStart(3, '0')
    return `${this.#before}${two(seconds)}.${millis}${this.#after}`
  }

  #startMinute(minute: number): void {
    this.#minute = minute
    const start = minute * MINUTE_MS
    const offset = this.#utc ? 0 : -new Date(start).getTimezoneOffset()
    const local = new Date(start + offset * MINUTE_MS).toISOString()
    this.#before = this.#style === 'full' ? local.slice(0, 17) : local.slice(11, 17)
    if (this.#style === 'clock') return
    const size = Math.abs(offset)
    const sign = offset < 0 ? '-' : '+'
    this.#after = this.#utc ? 'Z' : `${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`
  }
}
