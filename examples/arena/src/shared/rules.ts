// The physics of the arena, the same on the server and in the player's browser.

/** Simulation steps per second; state is sent once a step. */
const STEPS_PER_SECOND = 20
export const STEP_MS = 1000 / STEPS_PER_SECOND

/** The arena wraps around: what leaves on one side comes in on the other. Units are pixels. */
export const ARENA_WIDTH = 1600
export const ARENA_HEIGHT = 1000

export const SHIP_RADIUS = 16
export const SHIP_HP = 3
export const TURN_PER_SECOND = 3.6
const THRUST_PER_SECOND = 420
export const MAX_SPEED = 360
/** The share of its speed that a ship keeps over one second without thrust. */
export const GLIDE = 0.55
export const RESPAWN_MS = 1500
/** After a respawn a ship cannot be hit for this long. */
export const SHIELD_MS = 1500

export const SHOT_SPEED = 640
export const SHOT_LIFE_MS = 1100
export const SHOT_RADIUS = 4
export const FIRE_INTERVAL_MS = 250

export const SCORE_PER_KILL = 10

/** What a player holds down. `turn` is from -1 (left) to 1 (right). */
export interface Controls {
  readonly turn: number
  readonly thrust: boolean
  readonly fire: boolean
}

export const IDLE: Controls = { turn: 0, thrust: false, fire: false }

/** Any values from outside as controls in their range. */
export function toControls(turn: unknown, thrust: unknown, fire: unknown): Controls {
  const number = typeof turn === 'number' && Number.isFinite(turn) ? turn : 0
  return { turn: Math.max(-1, Math.min(1, number)), thrust: thrust === true, fire: fire === true }
}

/** The part of a ship that moves; the browser predicts its own ship with it. */
export interface Motion {
  x: number
  y: number
  vx: number
  vy: number
  /** Radians, 0 points right, growing clockwise. */
  angle: number
}

export const wrapX = (x: number): number => ((x % ARENA_WIDTH) + ARENA_WIDTH) % ARENA_WIDTH
export const wrapY = (y: number): number => ((y % ARENA_HEIGHT) + ARENA_HEIGHT) % ARENA_HEIGHT

/** Moves a ship by one step of `dtMs`. */
export function moveShip(ship: Motion, controls: Controls, dtMs: number): void {
  const dt = dtMs / 1000
  ship.angle += controls.turn * TURN_PER_SECOND * dt
  const glide = GLIDE ** dt
  ship.vx *= glide
  ship.vy *= glide
  if (controls.thrust) {
    ship.vx += Math.cos(ship.angle) * THRUST_PER_SECOND * dt
    ship.vy += Math.sin(ship.angle) * THRUST_PER_SECOND * dt
  }
  const speed = Math.hypot(ship.vx, ship.vy)
  if (speed > MAX_SPEED) {
    ship.vx *= MAX_SPEED / speed
    ship.vy *= MAX_SPEED / speed
  }
  ship.x = wrapX(ship.x + ship.vx * dt)
  ship.y = wrapY(ship.y + ship.vy * dt)
}

/** The square of the shortest way between two points of the wrapping arena. */
export function distanceSquared(ax: number, ay: number, bx: number, by: number): number {
  const dx = Math.abs(ax - bx)
  const dy = Math.abs(ay - by)
  const x = Math.min(dx, ARENA_WIDTH - dx)
  const y = Math.min(dy, ARENA_HEIGHT - dy)
  return x * x + y * y
}
