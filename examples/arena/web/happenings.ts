import type { ShipPose } from './interpolation.ts'

/** What happened to a ship from one state to the next. */
export interface Happening {
  readonly kind: 'hit' | 'destroyed' | 'returned' | 'scored'
  readonly seat: number
  readonly x: number
  readonly y: number
  readonly vx: number
  readonly vy: number
  /** Points, for `scored`. */
  readonly points: number
}

type Ships = ReadonlyMap<number, ShipPose>

/** @param isWanted - Of which ships. */
export function happeningsBetween(
  before: Ships,
  after: Ships,
  isWanted: (seat: number) => boolean = () => true,
): readonly Happening[] {
  const happenings: Happening[] = []
  for (const ship of after.values()) {
    const was = before.get(ship.seat)
    if (was === undefined || !isWanted(ship.seat)) continue
    const { seat, x, y, vx, vy } = ship
    const tell = (kind: Happening['kind'], points = 0): void =>
      void happenings.push({ kind, seat, x, y, vx, vy, points })
    if (ship.hp < was.hp) tell(ship.hp === 0 ? 'destroyed' : 'hit')
    if (ship.hp > 0 && was.hp === 0) tell('returned')
    if (ship.score > was.score) tell('scored', ship.score - was.score)
  }
  return happenings
}

/** A ship that was destroyed, and by whom, when only one ship scored in the same step. */
export interface Kill {
  readonly seat: number
  readonly by: number | undefined
}

export function killsIn(happenings: readonly Happening[]): readonly Kill[] {
  const scorers = happenings.filter(({ kind }) => kind === 'scored')
  const by = scorers.length === 1 ? scorers[0]?.seat : undefined
  return happenings.filter(({ kind }) => kind === 'destroyed').map(({ seat }) => ({ seat, by }))
}
