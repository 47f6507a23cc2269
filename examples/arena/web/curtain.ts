import { systemClock } from '@rts/rpc/client'
import type { RankRow } from '../src/shared/player-api.ts'
import type { Welcome } from '../src/shared/server-api.ts'
import { element, setText } from './elements.ts'
import { rankRows } from './scoreboard.ts'

export type Card = 'welcome' | 'lobby' | 'over' | 'lost' | 'ended'

const CARDS: readonly Card[] = ['welcome', 'lobby', 'over', 'lost', 'ended']
const AGAIN_SECONDS = 8

export interface CurtainActions {
  /** The player comes in; rejects when the server refuses. */
  enter(name: string): Promise<void>
  play(): void
  /** Stay in the lobby for now. */
  rest(): void
}

/** The cards in front of the view: one at most is open. */
export class Curtain {
  readonly #actions: CurtainActions
  readonly #name = element('name', HTMLInputElement)
  readonly #enterButton = element('enter', HTMLButtonElement)
  readonly #again = element('again', HTMLButtonElement)
  #open: Card | undefined
  #cancelTimer: () => void = () => {}

  constructor(actions: CurtainActions) {
    this.#actions = actions
    const form = element('welcome-form', HTMLFormElement)
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#enter()
    })
    this.#name.addEventListener('input', () => this.#nameButton())
    element('play', HTMLButtonElement).addEventListener('click', () => actions.play())
    this.#again.addEventListener('click', () => actions.play())
    element('rest', HTMLButtonElement).addEventListener('click', () => actions.rest())
    element('restart', HTMLButtonElement).addEventListener('click', () => void this.#enter())
  }

  get open(): Card | undefined {
    return this.#open
  }

  show(card: Card | undefined): void {
    if (this.#open === card) return
    this.#cancelTimer()
    this.#open = card
    for (const name of CARDS) element(`card-${name}`, HTMLElement).hidden = name !== card
    if (card === undefined) return
    const wanted = element(`card-${card}`, HTMLElement).querySelector<HTMLElement>('[data-focus]')
    wanted?.focus({ preventScroll: true })
  }

  showWelcome(name: string): void {
    this.#name.value = name
    this.#nameButton()
    this.show('welcome')
  }

  showLobby({ name, score, items }: Welcome): void {
    const bag = items.map(({ item, count }) => `${count} ${item}${count === 1 ? '' : 's'}`)
    setText(element('lobby-name', HTMLElement), name)
    setText(element('lobby-facts', HTMLElement), [`${score} points`, ...bag].join(' · '))
    this.show('lobby')
  }

  /** The ranking of a match; the next one begins by itself. */
  showOver(ranking: readonly RankRow[], ownName: string): void {
    const place = ranking.findIndex(({ name }) => name === ownName) + 1
    const title = place === 1 ? 'You won the match' : `You came in ${ordinal(place)}`
    setText(element('over-title', HTMLElement), place === 0 ? 'The match is over' : title)
    element('ranking', HTMLOListElement).replaceChildren(...rankRows(ranking, ownName))
    this.show('over')
    this.#count(AGAIN_SECONDS)
  }

  showEnded(reason: string): void {
    setText(element('ended-reason', HTMLElement), reason)
    this.show('ended')
  }

  #count(seconds: number): void {
    setText(this.#again, seconds > 0 ? `Play again · ${seconds}` : 'Play again')
    if (seconds === 0) this.#actions.play()
    else this.#cancelTimer = systemClock.setTimer(1000, () => this.#count(seconds - 1))
  }

  #nameButton(): void {
    const name = this.#name.value.trim()
    setText(this.#enterButton, name === '' ? 'Play as a guest' : `Play as ${name}`)
  }

  async #enter(): Promise<void> {
    const card = this.#open
    const button = card === 'ended' ? element('restart', HTMLButtonElement) : this.#enterButton
    const problem = element('problem', HTMLElement)
    if (button.disabled) return
    button.disabled = true
    setText(problem, '')
    try {
      await this.#actions.enter(this.#name.value.trim())
    } catch (error) {
      this.show('welcome')
      setText(problem, error instanceof Error ? error.message : String(error))
    } finally {
      button.disabled = false
    }
  }
}

function ordinal(place: number): string {
  const words = ['', 'first', 'second', 'third', 'fourth', 'fifth', 'sixth']
  return words[place] ?? `${place}th`
}
