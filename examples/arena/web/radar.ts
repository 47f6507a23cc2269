import { ARENA_HEIGHT, ARENA_WIDTH } from '../src/shared/rules.ts'
import type { Camera } from './camera.ts'
import type { Scene } from './flight.ts'
import { seatColor, type Theme } from './theme.ts'
import { shortestX, shortestY } from './torus.ts'

const WIDTH = 104
const HEIGHT = (WIDTH * ARENA_HEIGHT) / ARENA_WIDTH

/** The whole arena in a corner, the own ship in its middle: for screens that show a part of it. */
export function drawRadar(
  context: CanvasRenderingContext2D,
  scene: Scene,
  camera: Camera,
  theme: Theme,
  corner: { right: number; top: number },
): void {
  const scale = WIDTH / ARENA_WIDTH
  context.save()
  context.translate(corner.right - WIDTH, corner.top)
  context.beginPath()
  context.roundRect(0, 0, WIDTH, HEIGHT, 9)
  context.globalAlpha = 0.8
  context.fillStyle = theme.skyOuter
  context.fill()
  context.globalAlpha = 0.3
  context.lineWidth = 1
  context.strokeStyle = theme.text
  context.stroke()
  context.clip()
  const seenWidth = (camera.width / camera.scale) * scale
  const seenHeight = (camera.height / camera.scale) * scale
  context.globalAlpha = 0.1
  context.fillStyle = theme.text
  context.fillRect(
    (WIDTH - seenWidth) / 2,
    HEIGHT / 2 - seenHeight * camera.middle,
    seenWidth,
    seenHeight,
  )
  for (const ship of scene.ships) {
    if (ship.hp === 0) continue
    context.globalAlpha = 1
    context.fillStyle = seatColor(theme, ship.seat, ship.isOwn)
    context.beginPath()
    context.arc(
      WIDTH / 2 + shortestX(ship.x - camera.x) * scale,
      HEIGHT / 2 + shortestY(ship.y - camera.y) * scale,
      ship.isOwn ? 3.2 : 2.4,
      0,
      2 * Math.PI,
    )
    context.fill()
  }
  context.restore()
}
