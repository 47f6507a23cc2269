import { ARENA_HEIGHT, ARENA_WIDTH } from '../src/shared/rules.ts'
import { shortestX, shortestY } from './torus.ts'

const MIN_SCALE = 0.8
const FOLLOW_MS = 110

/** Where the view is. Its place does not wrap, so that the sky moves on smoothly when the ship crosses an edge. */
export class Camera {
  x: number = ARENA_WIDTH / 2
  y: number = ARENA_HEIGHT / 2
  width = 1
  height = 1
  /** Screen pixels per pixel of the arena; the arena always covers the view, so nothing is seen twice. */
  scale = 1
  /** The height at which the own ship is, as a share of the view's. */
  middle = 0.5
  shakeX = 0
  shakeY = 0
  #shake = 0

  resize(width: number, height: number): void {
    this.width = width
    this.height = height
    this.scale = Math.max(width / ARENA_WIDTH, height / ARENA_HEIGHT, MIN_SCALE)
    this.middle = height > width ? 0.44 : 0.5
  }

  /** True when the whole arena is in view, but for its rim. */
  get seesAll(): boolean {
    const share = (this.width * this.height) / (ARENA_WIDTH * ARENA_HEIGHT * this.scale ** 2)
    return share > 0.8
  }

  follow(target: { x: number; y: number }, dtMs: number, isJump: boolean): void {
    const share = isJump ? 1 : 1 - Math.exp(-dtMs / FOLLOW_MS)
    this.x += shortestX(target.x - this.x) * share
    this.y += shortestY(target.y - this.y) * share
  }

  shake(pixels: number): void {
    this.#shake = Math.max(this.#shake, pixels)
  }

  settle(dtMs: number, nowMs: number): void {
    this.#shake *= Math.exp(-dtMs / 120)
    this.shakeX = Math.sin(nowMs * 0.071) * this.#shake
    this.shakeY = Math.cos(nowMs * 0.093) * this.#shake
  }

  /** Calls `draw` with each place on the screen where something at x, y is seen; at a rim that may be two. */
  place(x: number, y: number, radius: number, draw: (sx: number, sy: number) => void): void {
    const reach = radius * this.scale
    const acrossX = ARENA_WIDTH * this.scale
    const acrossY = ARENA_HEIGHT * this.scale
    const sx = this.width / 2 + shortestX(x - this.x) * this.scale + this.shakeX
    const sy = this.height * this.middle + shortestY(y - this.y) * this.scale + this.shakeY
    for (let px = sx - acrossX; px <= this.width + reach; px += acrossX) {
      if (px < -reach) continue
      for (let py = sy - acrossY; py <= this.height + reach; py += acrossY) {
        if (py >= -reach) draw(px, py)
      }
    }
  }
}
