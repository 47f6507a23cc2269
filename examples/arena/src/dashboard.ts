import { formatReport, type BotReport } from '@rts/bots'
import { bold, dim } from './table.ts'

const MAX_EVENTS = 6

/** What a terminal shows: a text that stays up to date, what happened last, and the keys. */
export class Dashboard {
  /** Bots that play now. */
  bots = 0
  readonly #banner: () => string
  readonly #keys: readonly (readonly [key: string, meaning: string])[]
  readonly #events: string[] = []
  readonly #reports: BotReport[] = []
  #drawnLines = 0

  constructor(banner: () => string, keys: readonly (readonly [key: string, meaning: string])[]) {
    this.#banner = banner
    this.#keys = keys
  }

  tell(event: string): void {
    const time = new Date().toTimeString().slice(0, 8)
    this.#events.push(`${dim(time)} ${event}`)
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
    this.draw()
  }

  finished(report: BotReport): void {
    this.bots -= report.bots
    this.#reports.push(report)
    for (const [error, times] of Object.entries(report.errors)) this.tell(`! ${times} x ${error}`)
  }

  /** Draws over what was drawn before. */
  draw(): void {
    const keys = this.#keys.map(([key, meaning]) => `${bold(key)} ${meaning}`).join('   ')
    const text = [
      this.#banner(),
      `  ${this.bots} bots play   ${keys}`,
      '',
      ...this.#events.map((event) => `  ${event}`),
    ].join('\n')
    const back = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines - 1}A\r\u001b[J`
    process.stdout.write(back + text)
    this.#drawnLines = text.split('\n').length
  }

  /** What the bots saw, at the end. */
  summary(): void {
    process.stdout.write('\n\n')
    for (const report of this.#reports) console.log(`${formatReport(report)}\n`)
  }
}
