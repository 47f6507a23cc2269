import { SHIP_RADIUS } from '../src/shared/rules.ts'
import { Camera } from './camera.ts'
import { Effects } from './effects.ts'
import type { Scene, SceneShip } from './flight.ts'
import { drawGlowAt, forgetGlows } from './glow.ts'
import type { Happening } from './happenings.ts'
import { drawRadar } from './radar.ts'
import { drawLabel, drawShip } from './ship-figure.ts'
import type { ShotPose } from './shot-tracks.ts'
import { Starfield } from './starfield.ts'
import {
  onMotionChange,
  onThemeChange,
  readTheme,
  seatColor,
  wantsLessMotion,
  type Theme,
} from './theme.ts'

const MAX_PIXEL_RATIO = 3
const EXHAUST_EVERY_MS = 18
const DAMAGE_MS = 450
const RADAR_TOP = 62

/** The canvas: draws scenes, each as it is, and lets what flares up in them fade. */
export class ArenaView {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  readonly #camera = new Camera()
  readonly #stars = new Starfield()
  readonly #effects = new Effects()
  #theme: Theme = readTheme()
  #exhaustMs = 0
  #damageMs = 0
  /** Whether the last scene had an own ship; undefined when there was none. */
  #hadOwn: boolean | undefined

  constructor(canvas: HTMLCanvasElement) {
    // The sky covers all of it, so it needs no alpha.
    const context = canvas.getContext('2d', { alpha: false })
    if (context === null) throw new Error('this browser has no canvas')
    this.#canvas = canvas
    this.#context = context
    new ResizeObserver(() => this.#prepare()).observe(canvas)
    onThemeChange(() => this.#prepare())
    onMotionChange(() => this.#prepare())
    this.#prepare()
  }

  clear(): void {
    this.#effects.clear()
    this.#damageMs = 0
    this.#hadOwn = undefined
  }

  /** Shows what happened; the own ship's part shakes the view. */
  show(happening: Happening, own: SceneShip | undefined): void {
    const { kind, seat, points } = happening
    const isOwn = seat === own?.seat
    // The own ship is shown where it is predicted.
    const { x, y, vx, vy } = isOwn && kind !== 'returned' ? own : happening
    const color = seatColor(this.#theme, seat, isOwn)
    if (kind === 'destroyed') this.#effects.explode(x, y, vx, vy, color)
    if (kind === 'hit') this.#effects.hit(x, y, vx, vy, color)
    if (kind === 'returned') this.#effects.arrive(x, y, color)
    if (kind === 'scored' && isOwn) this.#effects.say(`+${points}`, x, y, this.#theme.accent)
    if (!isOwn || (kind !== 'hit' && kind !== 'destroyed')) return
    this.#damageMs = DAMAGE_MS
    if (!this.#effects.isStill) this.#camera.shake(kind === 'hit' ? 5 : 14)
  }

  draw(
    scene: Scene,
    focus: { x: number; y: number },
    dtMs: number,
    nowMs: number,
    muzzleMs: number,
  ): void {
    const camera = this.#camera
    const hasOwn = scene.own !== undefined
    camera.follow(focus, dtMs, hasOwn !== this.#hadOwn)
    this.#hadOwn = hasOwn
    camera.settle(dtMs, nowMs)
    this.#effects.advance(dtMs)
    this.#damageMs = Math.max(0, this.#damageMs - dtMs)
    this.#smoke(scene, dtMs)
    this.#stars.draw(this.#context, camera)
    for (const shot of scene.shots) this.#drawShot(shot)
    for (const ship of scene.ships) this.#drawShip(ship, nowMs, muzzleMs)
    this.#effects.draw(this.#context, camera, this.#theme.isDark)
    for (const ship of scene.ships) this.#drawLabel(ship)
    if (this.#damageMs > 0) this.#drawDamage()
    if (scene.own !== undefined && !camera.seesAll) {
      drawRadar(this.#context, scene, camera, this.#theme, {
        right: camera.width - 12,
        top: RADAR_TOP,
      })
    }
  }

  #prepare(): void {
    const { clientWidth, clientHeight } = this.#canvas
    const ratio = Math.min(MAX_PIXEL_RATIO, devicePixelRatio || 1)
    this.#canvas.width = Math.round(clientWidth * ratio)
    this.#canvas.height = Math.round(clientHeight * ratio)
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.#camera.resize(clientWidth, clientHeight)
    this.#theme = readTheme()
    this.#effects.isStill = wantsLessMotion()
    forgetGlows()
    this.#stars.prepare(this.#theme, ratio, this.#effects.isStill)
  }

  #smoke({ ships }: Scene, dtMs: number): void {
    this.#exhaustMs += dtMs
    if (this.#exhaustMs < EXHAUST_EVERY_MS) return
    this.#exhaustMs = 0
    for (const { isThrusting, x, y, angle, vx, vy } of ships) {
      if (isThrusting) this.#effects.exhaust(x, y, angle, vx, vy, this.#theme.flame)
    }
  }

  #drawShip(ship: SceneShip, nowMs: number, muzzleMs: number): void {
    if (ship.hp === 0) return
    const context = this.#context
    const { scale } = this.#camera
    const theme = this.#theme
    const isStill = this.#effects.isStill
    const color = seatColor(theme, ship.seat, ship.isOwn)
    const paint = {
      theme,
      color,
      nowMs,
      isStill,
      muzzleMs: ship.isOwn ? nowMs - muzzleMs : undefined,
    }
    this.#camera.place(ship.x, ship.y, 60, (x, y) => {
      context.save()
      context.translate(x, y)
      context.scale(scale, scale)
      drawShip(context, ship, paint)
      context.restore()
    })
  }

  #drawLabel(ship: SceneShip): void {
    if (ship.hp === 0) return
    const context = this.#context
    const { scale } = this.#camera
    const color = seatColor(this.#theme, ship.seat, ship.isOwn)
    this.#camera.place(ship.x, ship.y, 80, (x, y) => {
      context.save()
      context.translate(x, y + (SHIP_RADIUS + 12) * scale)
      drawLabel(context, ship, color, this.#theme)
      context.restore()
    })
  }

  #drawShot({ x, y, angle, isOwn, ageMs }: ShotPose): void {
    const context = this.#context
    const { scale } = this.#camera
    const color = isOwn ? this.#theme.accent : this.#theme.shot
    const length = Math.min(30, 4 + ageMs * 0.4) * scale
    this.#camera.place(x, y, 32, (sx, sy) => {
      const tailX = sx - Math.cos(angle) * length
      const tailY = sy - Math.sin(angle) * length
      context.globalAlpha = this.#theme.isDark ? 0.85 : 0.45
      drawGlowAt(context, color, sx, sy, 14 * scale)
      context.globalAlpha = 1
      const fade = context.createLinearGradient(tailX, tailY, sx, sy)
      // Both colours of shots are hexadecimal, so this is the same without alpha.
      fade.addColorStop(0, `${color}00`)
      fade.addColorStop(0.75, color)
      fade.addColorStop(1, this.#theme.isDark ? '#fff' : color)
      context.strokeStyle = fade
      context.lineCap = 'round'
      context.lineWidth = 3.2 * scale
      context.beginPath()
      context.moveTo(tailX, tailY)
      context.lineTo(sx, sy)
      context.stroke()
    })
  }

  #drawDamage(): void {
    const context = this.#context
    const { width, height } = this.#camera
    const reach = Math.hypot(width, height) / 2
    const edge = context.createRadialGradient(
      width / 2,
      height / 2,
      reach * 0.5,
      width / 2,
      height / 2,
      reach,
    )
    edge.addColorStop(0, 'rgb(255 40 80 / 0)')
    edge.addColorStop(1, 'rgb(255 40 80 / 0.75)')
    context.globalAlpha = (this.#damageMs / DAMAGE_MS) * (this.#effects.isStill ? 0.4 : 0.8)
    context.fillStyle = edge
    context.fillRect(0, 0, width, height)
    context.globalAlpha = 1
  }
}
