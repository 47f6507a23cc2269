import type { ArenaState, ShotRow } from '../src/shared/player-api.ts'
import { SHIP_RADIUS, SHOT_SPEED, STEP_MS, wrapX, wrapY } from '../src/shared/rules.ts'
import type { ShipPose } from './interpolation.ts'
import { shortestTurn, shortestX, shortestY } from './torus.ts'

export interface ShotPose {
  readonly id: number
  readonly x: number
  readonly y: number
  readonly angle: number
  readonly isOwn: boolean
  /** Since it left the muzzle. */
  readonly ageMs: number
}

interface Track {
  readonly id: number
  readonly firstMs: number
  readonly x: number
  readonly y: number
  readonly angle: number
  readonly isOwn: boolean
  readonly seenAtMs: number
  vx: number
  vy: number
  lastMs: number
  isGone: boolean
}

/** An own shot starts at the own ship, which is ahead, and slides back to the time of the ships it may hit. */
const SLIDE_MS = 400
const MAX_EXTRAPOLATION_MS = 150
const OWN_RADIANS = 0.004
const OWN_PIXELS = SHIP_RADIUS + 70

/** Shots fly straight, so two states tell all of their way. */
export class ShotTracks {
  readonly #tracks = new Map<number, Track>()

  clear(): void {
    this.#tracks.clear()
  }

  observe(state: ArenaState, own: ShipPose | undefined, nowMs: number): void {
    const ms = state.step * STEP_MS
    const seen = new Set<number>()
    for (const row of state.shots) {
      const [id, x, y] = row
      seen.add(id)
      const track = this.#tracks.get(id)
      if (track === undefined) this.#tracks.set(id, begin(row, ms, own, nowMs))
      else {
        if (track.lastMs === track.firstMs && ms > track.firstMs) {
          const seconds = (ms - track.firstMs) / 1000
          track.vx = shortestX(x - track.x) / seconds
          track.vy = shortestY(y - track.y) / seconds
        }
        track.lastMs = ms
      }
    }
    for (const track of this.#tracks.values()) track.isGone = !seen.has(track.id)
  }

  /** @param aheadMs - The server's time at which the own ship is shown. */
  sample(shownMs: number, aheadMs: number, nowMs: number): readonly ShotPose[] {
    const shots: ShotPose[] = []
    for (const track of this.#tracks.values()) {
      const slide = Math.min(1, (nowMs - track.seenAtMs) / SLIDE_MS)
      const atMs = track.isOwn ? aheadMs + (shownMs - aheadMs) * slide : shownMs
      const endMs = track.lastMs + (track.isGone ? 0 : MAX_EXTRAPOLATION_MS)
      if (track.isGone && shownMs > track.lastMs) this.#tracks.delete(track.id)
      const bornMs = track.firstMs - STEP_MS
      if (atMs < bornMs || atMs > endMs) continue
      const seconds = (atMs - track.firstMs) / 1000
      shots.push({
        id: track.id,
        x: wrapX(track.x + track.vx * seconds),
        y: wrapY(track.y + track.vy * seconds),
        angle: track.angle,
        isOwn: track.isOwn,
        ageMs: atMs - bornMs,
      })
    }
    return shots
  }
}

function begin(
  [id, x, y, angle]: ShotRow,
  ms: number,
  own: ShipPose | undefined,
  nowMs: number,
): Track {
  // Only the ship that fired points exactly that way and is that near.
  const isOwn =
    own !== undefined &&
    Math.abs(shortestTurn(angle - own.angle)) < OWN_RADIANS &&
    Math.hypot(shortestX(x - own.x), shortestY(y - own.y)) < OWN_PIXELS
  const vx = Math.cos(angle) * SHOT_SPEED + (isOwn ? own.vx : 0)
  const vy = Math.sin(angle) * SHOT_SPEED + (isOwn ? own.vy : 0)
  const seenAtMs = nowMs
  return { id, firstMs: ms, x, y, angle, isOwn, seenAtMs, vx, vy, lastMs: ms, isGone: false }
}
