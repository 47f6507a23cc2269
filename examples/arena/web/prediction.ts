import { MAX_SPEED, STEP_MS, moveShip, type Controls, type Motion } from '../src/shared/rules.ts'
import type { ShipPose } from './interpolation.ts'
import { shortestTurn, shortestX, shortestY } from './torus.ts'

interface SentStep {
  readonly seq: number
  readonly controls: Controls
  /** The ship after this step, as predicted when it was last known. */
  after: Motion
}

/** About two seconds of steps. */
const MAX_STEPS = 40
/** States round to a tenth of a pixel and a thousandth of a radian: less than that is no error. */
const SAME_PIXELS = 0.3
const SAME_RADIANS = 0.003
const SAME_SPEED = 6
/** An error beyond this is not glided over. */
const SNAP_PIXELS = 140
/** Errors shrink to a third in this time. */
const SMOOTH_MS = 90
/** So many of the latest states must disagree in one direction before the lead changes. */
const LEAD_VOTES = 5
const LEAD_SAMPLES = 6

/**
 * The own ship, ahead of the server: each input moves it at once, and each state from the server is the new start from
 * which the inputs it does not contain are flown again.
 */
export class Prediction {
  #motion: Motion = { x: 0, y: 0, vx: 0, vy: 0, angle: 0 }
  #isKnown = false
  #isAlive = false
  #sent: SentStep[] = []
  /** Steps of the server minus own input number, at the time both belong together. */
  #lead: number | undefined
  #leads: number[] = []
  #error = { x: 0, y: 0, angle: 0 }

  /** False until the first state. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** The server's time that the last step leads to. */
  get aheadMs(): number | undefined {
    const last = this.#sent.at(-1)
    return last === undefined || this.#lead === undefined
      ? undefined
      : (last.seq + this.#lead) * STEP_MS
  }

  /** Pixels by which the shown ship differs from the predicted one. */
  get errorPixels(): number {
    return Math.hypot(this.#error.x, this.#error.y)
  }

  reset(): void {
    this.#isKnown = false
    this.#isAlive = false
    this.#sent = []
    this.#lead = undefined
    this.#leads = []
    this.#error = { x: 0, y: 0, angle: 0 }
  }

  /** One step with the controls that were sent under this number. */
  step(seq: number, controls: Controls): void {
    if (this.#isAlive) moveShip(this.#motion, controls, STEP_MS)
    this.#sent.push({ seq, controls, after: { ...this.#motion } })
    if (this.#sent.length > MAX_STEPS) this.#sent.shift()
  }

  /** What the server says of this ship in that step. `isExact`: its velocity is that of one step. */
  reconcile(ship: ShipPose, step: number, isExact: boolean): void {
    const wasAlive = this.#isAlive
    this.#isAlive = ship.hp > 0
    if (!this.#isKnown || !this.#isAlive || !wasAlive) {
      this.#isKnown = true
      this.#place(ship)
      return
    }
    if (ship.inputSeq === 0) return
    const lead = this.#follow(step - ship.inputSeq)
    const contained = this.#sent.findLast(({ seq }) => seq + lead <= step)
    if (contained !== undefined && isSame(contained.after, ship, isExact)) return
    const before = { ...this.#motion }
    const known = contained?.after ?? this.#motion
    // What moved further than a ship can fly was put there.
    const isVelocityKnown =
      !isExact ||
      Math.hypot(ship.vx, ship.vy) > MAX_SPEED + SAME_SPEED ||
      Math.hypot(known.vx - ship.vx, known.vy - ship.vy) < SAME_SPEED
    const { x, y, angle } = ship
    const { vx, vy } = isVelocityKnown ? known : ship
    this.#motion = { x, y, vx, vy, angle }
    for (const sent of this.#sent) {
      if (sent.seq + lead > step) moveShip(this.#motion, sent.controls, STEP_MS)
      if (sent.seq + lead >= step) sent.after = { ...this.#motion }
    }
    this.#smooth(before)
  }

  /** The ship as it is shown, so long after its last step. */
  pose(sinceMs: number, controls: Controls): Motion {
    const shown = { ...this.#motion }
    if (this.#isAlive) moveShip(shown, controls, sinceMs)
    shown.x += this.#error.x
    shown.y += this.#error.y
    shown.angle += this.#error.angle
    // A step of no time wraps it.
    moveShip(shown, { turn: 0, thrust: false, fire: false }, 0)
    return shown
  }

  /** Lets what is left of old errors fade. */
  fade(dtMs: number): void {
    const share = Math.exp(-dtMs / SMOOTH_MS)
    this.#error.x *= share
    this.#error.y *= share
    this.#error.angle *= share
  }

  #place({ x, y, angle }: ShipPose): void {
    this.#motion = { x, y, angle, vx: 0, vy: 0 }
    this.#error = { x: 0, y: 0, angle: 0 }
    for (const sent of this.#sent) sent.after = { ...this.#motion }
  }

  /** An input may be late for one step of the server and catch up in the next: that changes nothing. */
  #follow(sample: number): number {
    this.#leads.push(sample)
    if (this.#leads.length > LEAD_SAMPLES) this.#leads.shift()
    const lead = (this.#lead ??= sample)
    const above = this.#leads.filter((other) => other > lead)
    const below = this.#leads.filter((other) => other < lead)
    const side = above.length > below.length ? above : below
    if (side.length >= LEAD_VOTES) {
      this.#lead = side.toSorted((a, b) => a - b)[Math.floor(side.length / 2)] ?? lead
    }
    return this.#lead
  }

  #smooth(before: Motion): void {
    const error = this.#error
    error.x += shortestX(before.x - this.#motion.x)
    error.y += shortestY(before.y - this.#motion.y)
    error.angle += shortestTurn(before.angle - this.#motion.angle)
    if (this.errorPixels > SNAP_PIXELS) this.#error = { x: 0, y: 0, angle: 0 }
  }
}

function isSame(predicted: Motion, ship: ShipPose, isExact: boolean): boolean {
  return (
    Math.hypot(shortestX(predicted.x - ship.x), shortestY(predicted.y - ship.y)) < SAME_PIXELS &&
    Math.abs(shortestTurn(predicted.angle - ship.angle)) < SAME_RADIANS &&
    (!isExact || Math.hypot(predicted.vx - ship.vx, predicted.vy - ship.vy) < SAME_SPEED)
  )
}
