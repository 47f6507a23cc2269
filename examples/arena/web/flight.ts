import type { ArenaState, Seat } from '../src/shared/player-api.ts'
import { FIRE_INTERVAL_MS, type Controls } from '../src/shared/rules.ts'
import { happeningsBetween, killsIn, type Happening, type Kill } from './happenings.ts'
import { HeldControls } from './held-controls.ts'
import { StateTimeline, type ShipPose } from './interpolation.ts'
import { Prediction } from './prediction.ts'
import { ShotTracks, type ShotPose } from './shot-tracks.ts'

export interface SceneShip extends ShipPose {
  readonly name: string
  readonly isOwn: boolean
}

/** Everything to draw at one time. */
export interface Scene {
  readonly ships: readonly SceneShip[]
  readonly shots: readonly ShotPose[]
  readonly own: SceneShip | undefined
}

/** One player's view of a match: states from the server and the own controls in, one scene a frame out. */
export class Flight {
  readonly timeline: StateTimeline = new StateTimeline()
  readonly prediction: Prediction = new Prediction()
  readonly #shots = new ShotTracks()
  readonly #held = new HeldControls()
  #names = new Map<number, string>()
  #seat: number | undefined
  #happenings: Happening[] = []
  #flashAtMs = 0
  #muzzleMs = -Infinity

  get seat(): number | undefined {
    return this.#seat
  }

  /** Ships of the newest state, the best first. */
  get standing(): readonly SceneShip[] {
    const ships = [...(this.timeline.newest?.ships.values() ?? [])]
    return ships
      .map((ship) => this.#present(ship))
      .sort((a, b) => b.score - a.score || a.seat - b.seat)
  }

  /** Of the match, as the newest state says. */
  get secondsLeft(): number | undefined {
    return this.timeline.newest?.state.secondsLeft
  }

  /** When the own cannon last fired, as far as this end knows. */
  get muzzleMs(): number {
    return this.#muzzleMs
  }

  nameOf(seat: number): string {
    return this.#names.get(seat) ?? ''
  }

  clear(): void {
    this.timeline.clear()
    this.#shots.clear()
    this.#happenings = []
    this.#names.clear()
    this.#seat = undefined
    this.resync()
  }

  /** The link or the server changed: what was sent may not have arrived. */
  resync(): void {
    this.prediction.reset()
    this.#held.clear()
  }

  roster(seats: readonly Seat[], account: string): void {
    this.#names = new Map(seats.map(({ seat, name }) => [seat, name]))
    this.#seat = seats.find((other) => other.account === account)?.seat
  }

  observe(state: ArenaState, nowMs: number): void {
    if (!this.timeline.push(state, nowMs)) return
    const { newest, previous } = this.timeline
    if (newest === undefined) return
    const own = this.#seat === undefined ? undefined : newest.ships.get(this.#seat)
    this.#shots.observe(state, own, nowMs)
    if (own === undefined) return
    const isExact = previous?.state.step === state.step - 1
    this.prediction.reconcile(own, state.step, isExact)
    if (previous === undefined) return
    const isOwn = (seat: number): boolean => seat === own.seat
    this.#happenings.push(...happeningsBetween(previous.ships, newest.ships, isOwn))
  }

  /** Lets time pass with these controls held; `send` gives each step its number. */
  advance(
    dtMs: number,
    nowMs: number,
    controls: Controls,
    send: (controls: Controls) => number,
  ): void {
    this.prediction.fade(dtMs)
    for (const step of this.#held.advance(dtMs, controls)) {
      this.prediction.step(send(step), step)
      if (step.fire && nowMs >= this.#flashAtMs && this.#ownNow()?.hp !== 0) {
        this.#flashAtMs = nowMs + FIRE_INTERVAL_MS - 20
        this.#muzzleMs = nowMs
      }
    }
  }

  scene(nowMs: number): Scene {
    const shownMs = this.timeline.shownMs(nowMs)
    const predictedMs = this.prediction.aheadMs
    const aheadMs =
      predictedMs === undefined ? this.timeline.arrivedMs(nowMs) : predictedMs + this.#held.sinceMs
    const ships = this.timeline.sample(nowMs).map((ship) => this.#present(ship))
    const own = this.#own()
    return {
      ships: [...ships.filter(({ isOwn }) => !isOwn), ...(own === undefined ? [] : [own])],
      shots: this.#shots.sample(shownMs, aheadMs, nowMs),
      own,
    }
  }

  /** What has come to be seen since the last call. The own ship's part comes at once. */
  news(nowMs: number): { happenings: readonly Happening[]; kills: readonly Kill[] } {
    const seen = this.timeline
      .passed(nowMs)
      .map(([before, after]) => happeningsBetween(before.ships, after.ships))
    const others = seen.flat().filter(({ seat }) => seat !== this.#seat)
    return { happenings: [...this.#happenings.splice(0), ...others], kills: seen.flatMap(killsIn) }
  }

  #ownNow(): ShipPose | undefined {
    return this.#seat === undefined ? undefined : this.timeline.newest?.ships.get(this.#seat)
  }

  #own(): SceneShip | undefined {
    const newest = this.#ownNow()
    if (newest === undefined || !this.prediction.isKnown) return undefined
    const controls = this.#held.soFar
    const motion = this.prediction.pose(this.#held.sinceMs, controls)
    return { ...this.#present(newest), ...motion, isThrusting: newest.hp > 0 && controls.thrust }
  }

  #present(ship: ShipPose): SceneShip {
    return { ...ship, name: this.nameOf(ship.seat), isOwn: ship.seat === this.#seat }
  }
}
