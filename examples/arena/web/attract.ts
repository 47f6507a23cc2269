import { IDLE, SHIP_HP, STEP_MS, moveShip, type Controls } from '../src/shared/rules.ts'
import type { Scene, SceneShip } from './flight.ts'
import { turnToward } from './steering.ts'

interface Drone {
  readonly seat: number
  readonly phase: number
  x: number
  y: number
  vx: number
  vy: number
  angle: number
  controls: Controls
}

const DRONES = 9

/** What flies about before anybody plays: ships on their way to nowhere, on this computer alone. */
export class Attract {
  readonly #drones: Drone[] = Array.from({ length: DRONES }, (_, index) => ({
    seat: index + 1,
    phase: index * 2.4,
    x: (index * 613 + 140) % 1600,
    y: (index * 377 + 90) % 1000,
    vx: 0,
    vy: 0,
    angle: index * 1.7,
    controls: IDLE,
  }))

  scene(dtMs: number, nowMs: number): Scene {
    const seconds = nowMs / 1000
    const ships = this.#drones.map((drone): SceneShip => {
      const wanted = drone.phase + Math.sin(seconds * 0.31 + drone.phase) * 2.6
      const thrust = Math.sin(seconds * 0.7 + drone.phase * 3) > -0.35
      drone.controls = { turn: turnToward(drone.angle, wanted) * 0.5, thrust, fire: false }
      moveShip(drone, drone.controls, Math.min(dtMs, STEP_MS))
      const { seat, x, y, vx, vy, angle } = drone
      const looks = { name: '', score: 0, inputSeq: 0, isShielded: false, isOwn: false }
      return { seat, x, y, vx, vy, angle, hp: SHIP_HP, isThrusting: thrust, ...looks }
    })
    return { ships, shots: [], own: undefined }
  }
}
