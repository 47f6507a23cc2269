import { SHIP_HP } from '../src/shared/rules.ts'
import type { RankRow } from '../src/shared/player-api.ts'
import { element, make, setText } from './elements.ts'
import type { SceneShip } from './flight.ts'
import { readTheme, seatColor } from './theme.ts'

const PODIUM = 3

/** Who is in the room: the whole list in its panel, the best few over the view of small screens, the own place in the bar. */
export class Scoreboard {
  readonly #list = element('scores', HTMLOListElement)
  readonly #podium = element('podium', HTMLOListElement)
  readonly #count = element('scores-count', HTMLElement)
  readonly #hud = element('hud', HTMLElement)
  readonly #score = element('hud-score', HTMLElement)
  readonly #rank = element('hud-rank', HTMLElement)
  readonly #hull = element('hud-hull', HTMLElement)
  readonly #clock = element('hud-clock', HTMLElement)
  #shown = ''

  constructor() {
    this.#hull.replaceChildren(...Array.from({ length: SHIP_HP }, () => make('i', '')))
  }

  show(standing: readonly SceneShip[], secondsLeft = 0): void {
    setText(this.#clock, clockFace(secondsLeft))
    const key = standing
      .map(({ seat, name, score, hp, isOwn }) => [seat, name, score, hp, isOwn].join())
      .join(';')
    if (key === this.#shown) return
    this.#shown = key
    const rows = standing.map((ship, index) => row(ship, index + 1))
    this.#list.replaceChildren(...rows)
    const ownIndex = standing.findIndex(({ isOwn }) => isOwn)
    const best = standing
      .map((ship, index) => row(ship, index + 1))
      .filter((_, index) => index < PODIUM || index === ownIndex)
    this.#podium.replaceChildren(...best)
    setText(this.#count, standing.length === 0 ? '' : String(standing.length))
    this.#showOwn(standing[ownIndex], ownIndex + 1, standing.length)
  }

  #showOwn(own: SceneShip | undefined, rank: number, of: number): void {
    this.#hud.hidden = own === undefined
    if (own === undefined) return
    setText(this.#score, String(own.score))
    setText(this.#rank, `${rank}/${of}`)
    this.#rank.ariaLabel = `place ${rank} of ${of}`
    this.#hull.ariaLabel = `${own.hp} of ${SHIP_HP} hit points`
    for (const [index, pip] of [...this.#hull.children].entries())
      pip.classList.toggle('lost', index >= own.hp)
  }
}

/** The best players of all matches. */
export class LeaderboardPanel {
  readonly #list = element('leaders', HTMLOListElement)
  #shown = ''

  show(rows: readonly RankRow[], ownName: string): void {
    const key = JSON.stringify([rows, ownName])
    if (key === this.#shown) return
    this.#shown = key
    this.#list.replaceChildren(...rankRows(rows, ownName))
  }
}

export function rankRows(rows: readonly RankRow[], ownName: string): HTMLElement[] {
  return rows.map(({ name, score }, index) =>
    make(
      'li',
      name === ownName ? 'own' : '',
      make('span', 'place', String(index + 1)),
      make('span', 'name', name),
      make('b', 'score', String(score)),
    ),
  )
}

const clockFace = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`

function row({ seat, name, score, hp, isOwn }: SceneShip, place: number): HTMLElement {
  const dot = make('i', 'dot')
  dot.style.color = seatColor(readTheme(), seat, isOwn)
  const classes = `${isOwn ? 'own' : ''} ${hp === 0 ? 'down' : ''}`.trim()
  return make(
    'li',
    classes,
    make('span', 'place', String(place)),
    dot,
    make('span', 'name', name),
    make('b', 'score', String(score)),
  )
}
