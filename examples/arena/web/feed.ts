import { systemClock } from '@rts/rpc/client'
import { element, make, setText } from './elements.ts'
import type { Kill } from './happenings.ts'

const SHOWN_MS = 3500
const MAX_LINES = 3

/** Who destroyed whom, for a moment; and one line about the own ship. */
export class Feed {
  readonly #list = element('feed', HTMLUListElement)
  readonly #notice = element('notice', HTMLElement)

  tell(
    kills: readonly Kill[],
    nameOf: (seat: number) => string,
    ownSeat: number | undefined,
  ): void {
    for (const { seat, by } of kills) {
      const isOwn = seat === ownSeat || by === ownSeat
      const winner = by === undefined ? [] : [make('b', '', nameOf(by))]
      this.#add(make('li', isOwn ? 'own' : '', ...winner, ' ✕ ', make('b', '', nameOf(seat))))
    }
  }

  /** One line in the middle; empty for none. */
  notice(text: string): void {
    setText(this.#notice, text)
  }

  #add(line: HTMLElement): void {
    this.#list.append(line)
    while (this.#list.childElementCount > MAX_LINES) this.#list.firstElementChild?.remove()
    systemClock.setTimer(SHOWN_MS, () => line.remove())
  }
}
