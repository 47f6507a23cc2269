import { formatReport, type BotReport } from '@rts/bots'
import { bold, columns, dim, fit, wrap } from './table.ts'

const MAX_EVENTS = 6
const MARGIN = '  '
const TIME = 'HH:MM:SS '
const CLEAR_REST_OF_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** What a terminal shows: a text that stays up to date, what happened last, and the keys. */
export class Dashboard {
  /** Bots that play now. */
  bots = 0
  readonly #banner: () => string
  readonly #keys: readonly (readonly [key: string, meaning: string])[]
  readonly #events: { readonly time: string; readonly text: string }[] = []
  readonly #reports: BotReport[] = []
  #drawn: readonly string[] = []
  #isOver = false

  constructor(banner: () => string, keys: readonly (readonly [key: string, meaning: string])[]) {
    this.#banner = banner
    this.#keys = keys
  }

  tell(text: string): void {
    if (this.#isOver) return
    this.#events.push({ time: new Date().toTimeString().slice(0, 8), text })
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
    this.draw()
  }

  finished(report: BotReport): void {
    this.bots -= report.bots
    this.#reports.push(report)
    for (const [error, times] of Object.entries(report.errors)) this.tell(`! ${times} x ${error}`)
  }

  /** Draws over what was drawn before, unless nothing has changed. Nothing is cleared first, so nothing flickers. */
  draw(): void {
    const width = columns()
    const lines = [...this.#banner().split('\n'), ...this.#footer(width)]
      .map((line) => fit(line, width))
      // What has scrolled away cannot be drawn over.
      .slice(0, process.stdout.rows)
    if (lines.join('\n') === this.#drawn.join('\n')) return
    const back = this.#drawn.length === 0 ? '' : `\u001b[${this.#drawn.length - 1}A\r`
    const text = lines.map((line) => line + CLEAR_REST_OF_LINE).join('\n')
    process.stdout.write(back + text + CLEAR_BELOW)
    this.#drawn = lines
  }

  /** What the bots saw, at the end. */
  summary(): void {
    this.#isOver = true
    process.stdout.write('\n\n')
    for (const report of this.#reports) console.log(`${formatReport(report)}\n`)
  }

  #footer(width: number): string[] {
    const room = width - MARGIN.length
    const keys = this.#keys.map(([key, meaning]) => `${bold(key)} ${meaning}`)
    const events = this.#events.flatMap(({ time, text }) =>
      wrap(text.split(' '), room - TIME.length).map(
        (line, index) => `${index === 0 ? `${dim(time)} ` : ' '.repeat(TIME.length)}${line}`,
      ),
    )
    return [
      ...wrap([`${this.bots} bots play`, ...keys], room, '   '),
      '',
      ...events.slice(-MAX_EVENTS),
    ].map((line) => (line === '' ? '' : MARGIN + line))
  }
}
