import type { ChatLine } from '../src/shared/player-api.ts'
import { element, make, setText } from './elements.ts'

const MAX_LINES = 60
/** Bots count aloud to check the order of lines; all of them together get one line, so that people can talk. */
const COUNTING = /^#\d+$/

/** The lobby's chat. */
export class ChatPanel {
  readonly #log = element('chat-log', HTMLOListElement)
  readonly #form = element('chat-form', HTMLFormElement)
  readonly #input = element('chat-input', HTMLInputElement)
  readonly #bots = element('chat-bots', HTMLElement)
  readonly #latest = element('chat-latest', HTMLElement)

  /** @param say - Sends a line; rejects when it did not arrive. */
  constructor(say: (text: string) => Promise<void>) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      const text = this.#input.value.trim()
      if (text === '') return this.#input.blur()
      this.#input.value = ''
      say(text).catch(() => this.note(`not sent: ${text}`))
    })
    this.#input.addEventListener('keydown', ({ code }) => {
      if (code === 'Escape') this.#input.blur()
    })
  }

  /** Puts the cursor into the field. */
  focus(): void {
    this.#input.focus()
  }

  hear({ from, text }: ChatLine, ownName: string): void {
    if (COUNTING.test(text)) return setText(this.#bots, `${from} ${text}`)
    const who = make('b', from === ownName ? 'own' : '', from)
    this.#add(make('li', '', who, ' ', text))
    this.#latest.replaceChildren(make('p', '', make('b', '', from), ' ', text))
  }

  /** Says something that nobody said. */
  note(text: string): void {
    this.#add(make('li', 'note', text))
  }

  #add(line: HTMLElement): void {
    const log = this.#log
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24
    log.append(line)
    while (log.childElementCount > MAX_LINES) log.firstElementChild?.remove()
    if (isAtEnd) log.scrollTop = log.scrollHeight
  }
}
