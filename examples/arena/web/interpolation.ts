import type { ArenaState, ShipRow } from '../src/shared/player-api.ts'
import { GLIDE, STEP_MS, wrapX, wrapY, type Motion } from '../src/shared/rules.ts'
import { shortestTurn, shortestX, shortestY } from './torus.ts'

/** One ship at one time, with what rows do not carry: how it moves, and whether its engine burns. */
export interface ShipPose extends Readonly<Motion> {
  readonly seat: number
  readonly hp: number
  readonly score: number
  readonly inputSeq: number
  readonly isShielded: boolean
  readonly isThrusting: boolean
}

/** What one state said. `ms` is its time on the server: steps since the match began. */
export interface Moment {
  readonly ms: number
  readonly state: ArenaState
  readonly ships: ReadonlyMap<number, ShipPose>
}

/** Two states in between which a ship cannot have flown that far: it was placed anew. */
const JUMP_PIXELS = 90
/** Without newer states ships fly on for so long. */
const MAX_EXTRAPOLATION_MS = 120
const KEPT_MS = 1000
/** A state that is older than the newest by more than this belongs to another match. */
const RESTART_STEPS = 40
/** The estimate of the server's time follows a state that came early faster than one that came late. */
const EARLY_GAIN = 0.2
const LATE_GAIN = 0.02
const RESYNC_MS = 400
/** An engine adds 21 pixels per second in a step; rounding of positions takes or gives up to 4. */
const THRUST_SIGN = 8

/** The last second of states, and what lies between them: shown a little late, so that there is always a next one. */
export class StateTimeline {
  readonly #delayMs: number
  #moments: Moment[] = []
  /** This computer's time minus the server's, plus the shortest way here. */
  #offsetMs: number | undefined
  #passedMs = -Infinity

  constructor(delayMs = 100) {
    this.#delayMs = delayMs
  }

  get newest(): Moment | undefined {
    return this.#moments.at(-1)
  }

  get previous(): Moment | undefined {
    return this.#moments.at(-2)
  }

  clear(): void {
    this.#moments = []
    this.#offsetMs = undefined
    this.#passedMs = -Infinity
  }

  /** False for a state that came too late to matter. */
  push(state: ArenaState, nowMs: number): boolean {
    const last = this.newest
    if (last !== undefined && state.step <= last.state.step) {
      if (last.state.step - state.step < RESTART_STEPS) return false
      this.clear()
    }
    const ms = state.step * STEP_MS
    this.#follow(nowMs - ms)
    this.#moments.push({ ms, state, ships: poses(state, ms, this.newest) })
    while (this.#moments.length > 2 && this.#moments[0]!.ms < ms - KEPT_MS) this.#moments.shift()
    return true
  }

  /** The server's time that is shown now. */
  shownMs(nowMs: number): number {
    return this.arrivedMs(nowMs) - this.#delayMs
  }

  /** The server's time of a state that would arrive right now. */
  arrivedMs(nowMs: number): number {
    return nowMs - (this.#offsetMs ?? 0)
  }

  /** All ships as they are shown now. */
  sample(nowMs: number): readonly ShipPose[] {
    const shownMs = this.shownMs(nowMs)
    const index = Math.max(
      0,
      this.#moments.findLastIndex(({ ms }) => ms <= shownMs),
    )
    const before = this.#moments[index]
    if (before === undefined) return []
    const after = this.#moments[index + 1]
    const ships = [...before.ships.values()]
    if (after === undefined) {
      const ahead = Math.min(Math.max(0, shownMs - before.ms), MAX_EXTRAPOLATION_MS) / 1000
      return ships.map((ship) => (ship.hp > 0 ? flyOn(ship, ahead) : ship))
    }
    const share = Math.max(0, (shownMs - before.ms) / (after.ms - before.ms))
    return ships.map((ship) => {
      const next = after.ships.get(ship.seat)
      return next === undefined || isJump(ship, next) ? ship : between(ship, next, share)
    })
  }

  /** The states that came to be shown since the last call, each with the one before it. */
  passed(nowMs: number): readonly (readonly [before: Moment, after: Moment])[] {
    const shownMs = this.shownMs(nowMs)
    const pairs: [Moment, Moment][] = []
    for (const [index, after] of this.#moments.entries()) {
      if (after.ms > shownMs || after.ms <= this.#passedMs) continue
      const before = this.#moments[index - 1]
      this.#passedMs = after.ms
      if (before !== undefined) pairs.push([before, after])
    }
    return pairs
  }

  #follow(sampleMs: number): void {
    const offset = this.#offsetMs
    if (offset === undefined || Math.abs(sampleMs - offset) > RESYNC_MS) this.#offsetMs = sampleMs
    else
      this.#offsetMs = offset + (sampleMs - offset) * (sampleMs < offset ? EARLY_GAIN : LATE_GAIN)
  }
}

function poses(state: ArenaState, ms: number, last: Moment | undefined): Map<number, ShipPose> {
  const seconds = last === undefined ? 0 : (ms - last.ms) / 1000
  return new Map(state.ships.map((row) => [row[0], pose(row, last?.ships.get(row[0]), seconds)]))
}

function pose(row: ShipRow, last: ShipPose | undefined, seconds: number): ShipPose {
  const [seat, x, y, angle, hp, score, inputSeq, shielded] = row
  const still = { seat, x, y, angle, hp, score, inputSeq, isShielded: shielded === 1 }
  if (last === undefined || isJump(last, still))
    return { ...still, vx: 0, vy: 0, isThrusting: false }
  const vx = shortestX(x - last.x) / seconds
  const vy = shortestY(y - last.y) / seconds
  const glide = GLIDE ** seconds
  const push = (vx - last.vx * glide) * Math.cos(angle) + (vy - last.vy * glide) * Math.sin(angle)
  return { ...still, vx, vy, isThrusting: hp > 0 && push > THRUST_SIGN }
}

/** It came back from the dead, or is where it cannot have flown to. */
function isJump(
  before: Pick<ShipPose, 'x' | 'y' | 'hp'>,
  after: Pick<ShipPose, 'x' | 'y' | 'hp'>,
): boolean {
  const isBack = before.hp === 0 && after.hp > 0
  const distance = Math.hypot(shortestX(after.x - before.x), shortestY(after.y - before.y))
  return isBack || distance > JUMP_PIXELS
}

function between(a: ShipPose, b: ShipPose, share: number): ShipPose {
  return {
    ...a,
    x: wrapX(a.x + shortestX(b.x - a.x) * share),
    y: wrapY(a.y + shortestY(b.y - a.y) * share),
    angle: a.angle + shortestTurn(b.angle - a.angle) * share,
    isThrusting: b.isThrusting,
  }
}

function flyOn(ship: ShipPose, seconds: number): ShipPose {
  return { ...ship, x: wrapX(ship.x + ship.vx * seconds), y: wrapY(ship.y + ship.vy * seconds) }
}
