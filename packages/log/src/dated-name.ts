/** How long one file takes lines. */
export type Period = 'day' | 'hour' | 'minute'

const MINUTE_MS = 60_000
const DATES: Readonly<Record<Period, string>> = {
  day: String.raw`\d{4}-\d{2}-\d{2}`,
  hour: String.raw`\d{4}-\d{2}-\d{2}_\d{2}`,
  minute: String.raw`\d{4}-\d{2}-\d{2}_\d{2}-\d{2}`,
}

/**
 * The names of one log's files: `<tag>.<date>.log`, where the date is `2026-11-22`, `2026-11-22_14` or
 * `2026-11-22_14-05`. They sort by time.
 *
 * The date is that of the line, by the calendar. There are no boundaries to compute and so none to
 * get wrong: where clocks go back, both hours of that name share a file.
 */
export class DatedNames {
  readonly #tag: string
  readonly #period: Period
  readonly #utc: boolean
  readonly #pattern: RegExp
  #minute = Number.NaN
  #name = ''

  constructor(tag: string, period: Period, utc: boolean) {
    this.#tag = tag
    this.#period = period
    this.#utc = utc
    this.#pattern = new RegExp(`^${literal(tag)}\\.${DATES[period]}\\.log$`)
  }

  /** The file of a line; computed once per minute, because clocks are set back in whole minutes. */
  of(timeMs: number): string {
    const minute = Math.floor(timeMs / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#name = `${this.#tag}.${dateOf(timeMs, this.#period, this.#utc)}.log`
    }
    return this.#name
  }

  /** Whether a file of the folder is one of these. */
  owns(name: string): boolean {
    return this.#pattern.test(name)
  }
}

function dateOf(timeMs: number, period: Period, utc: boolean): string {
  const time = new Date(timeMs)
  const [year, month, day, hour, minute] = utc
    ? [
        time.getUTCFullYear(),
        time.getUTCMonth(),
        time.getUTCDate(),
        time.getUTCHours(),
        time.getUTCMinutes(),
      ]
    : [time.getFullYear(), time.getMonth(), time.getDate(), time.getHours(), time.getMinutes()]
  const date = `${String(year).padStart(4, '0')}-${two(month + 1)}-${two(day)}`
  if (period === 'day') return date
  return period === 'hour' ? `${date}_${two(hour)}` : `${date}_${two(hour)}-${two(minute)}`
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

export function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
