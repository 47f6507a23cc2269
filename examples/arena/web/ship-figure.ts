import { SHIP_HP } from '../src/shared/rules.ts'
import type { SceneShip } from './flight.ts'
import { drawGlowAt } from './glow.ts'
import type { Theme } from './theme.ts'

const HULL = shape(
  'M21 0Q9 4 2 7L-11 15Q-15 15.5-16 12L-10.5 4.5V-4.5L-16-12Q-15-15.5-11-15L2-7Q9-4 21 0Z',
)
const COCKPIT = shape('M12 0Q7 3.4 1 2.4V-2.4Q7-3.4 12 0Z')
const SHIELD_RADIUS = 27
const LABEL_LENGTH = 16

export interface ShipPaint {
  readonly theme: Theme
  readonly color: string
  readonly nowMs: number
  readonly isStill: boolean
  /** Since the cannon fired; undefined when that is not known. */
  readonly muzzleMs: number | undefined
}

/** Draws one ship with its flame and shield around 0, 0 of the context, in pixels of the arena. */
export function drawShip(
  context: CanvasRenderingContext2D,
  ship: SceneShip,
  { theme, color, nowMs, isStill, muzzleMs }: ShipPaint,
): void {
  context.save()
  if (theme.isDark) {
    context.globalAlpha = 0.34
    drawGlowAt(context, color, 0, 0, 46)
  } else {
    context.globalAlpha = 0.22
    drawGlowAt(context, '#1a2a55', 2, 6, 34)
  }
  context.globalAlpha = 1
  context.rotate(ship.angle)
  if (ship.isThrusting) drawFlame(context, theme, isStill ? 0.5 : flicker(nowMs, ship.seat))
  context.fillStyle = color
  context.fill(HULL)
  const shade = context.createLinearGradient(-16, 0, 21, 0)
  shade.addColorStop(0, `rgb(0 0 0 / ${theme.isDark ? 0.5 : 0.28})`)
  shade.addColorStop(0.55, 'rgb(0 0 0 / 0.05)')
  shade.addColorStop(1, 'rgb(255 255 255 / 0.55)')
  context.fillStyle = shade
  context.fill(HULL)
  context.strokeStyle = theme.isDark ? 'rgb(255 255 255 / 0.7)' : 'rgb(255 255 255 / 0.9)'
  context.lineWidth = 1.2
  context.lineJoin = 'round'
  context.stroke(HULL)
  context.fillStyle = theme.isDark ? 'rgb(6 10 28 / 0.75)' : 'rgb(255 255 255 / 0.85)'
  context.fill(COCKPIT)
  if (muzzleMs !== undefined && muzzleMs < 90) {
    context.globalAlpha = 1 - muzzleMs / 90
    drawGlowAt(context, theme.shot, 24, 0, 15)
    drawGlowAt(context, '#fff', 23, 0, 8)
  }
  context.restore()
  if (ship.isShielded) drawShield(context, color, isStill ? 0 : nowMs)
}

/** The name and the hit points below a ship, in pixels of the screen. */
export function drawLabel(
  context: CanvasRenderingContext2D,
  ship: SceneShip,
  color: string,
  theme: Theme,
): void {
  if (ship.name === '') return
  const width = 9
  const gap = 3
  const left = -(SHIP_HP * width + (SHIP_HP - 1) * gap) / 2
  for (let index = 0; index < SHIP_HP; index += 1) {
    context.globalAlpha = index < ship.hp ? 1 : 0.25
    context.fillStyle = index < ship.hp ? color : theme.text
    context.beginPath()
    context.roundRect(left + index * (width + gap), 0, width, 3, 1.5)
    context.fill()
  }
  const name =
    ship.name.length > LABEL_LENGTH ? `${ship.name.slice(0, LABEL_LENGTH - 1)}…` : ship.name
  context.globalAlpha = ship.isOwn ? 1 : 0.78
  context.fillStyle = ship.isOwn ? theme.accent : theme.text
  context.font = `${ship.isOwn ? 700 : 500} 12px system-ui, sans-serif`
  context.textAlign = 'center'
  context.textBaseline = 'top'
  context.fillText(name, 0, 8)
  context.globalAlpha = 1
}

function drawFlame(context: CanvasRenderingContext2D, theme: Theme, strength: number): void {
  const length = 15 + strength * 11
  if (theme.isDark) {
    context.globalAlpha = 0.55
    drawGlowAt(context, theme.flame, -20, 0, 22)
    context.globalAlpha = 1
  }
  for (const [color, share] of [
    [theme.flame, 1],
    ['#fff6dd', 0.5],
  ] as const) {
    context.fillStyle = color
    context.beginPath()
    context.moveTo(-10, -4.4 * share)
    context.quadraticCurveTo(-14, -5.4 * share, -10 - length * share, 0)
    context.quadraticCurveTo(-14, 5.4 * share, -10, 4.4 * share)
    context.fill()
  }
}

function drawShield(context: CanvasRenderingContext2D, color: string, nowMs: number): void {
  context.save()
  context.globalAlpha = 0.16 + 0.06 * Math.sin(nowMs / 90)
  context.fillStyle = color
  context.beginPath()
  context.arc(0, 0, SHIELD_RADIUS, 0, 2 * Math.PI)
  context.fill()
  context.globalAlpha = 0.85
  context.strokeStyle = color
  context.lineWidth = 1.6
  context.setLineDash([13, 8.2])
  context.lineDashOffset = -nowMs / 28
  context.stroke()
  context.restore()
}

const flicker = (nowMs: number, seat: number): number =>
  0.5 + 0.3 * Math.sin(nowMs / 23 + seat * 9) + 0.2 * Math.sin(nowMs / 11 + seat * 4)

function shape(path: string): Path2D {
  return new Path2D(path)
}
