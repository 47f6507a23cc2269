import type { Camera } from './camera.ts'
import { drawGlowAt } from './glow.ts'
import type { Theme } from './theme.ts'

interface Layer {
  readonly tile: HTMLCanvasElement
  readonly size: number
  /** How far it moves when the camera moves by 1. */
  readonly depth: number
}

const GRID_PIXELS = 100

/** The sky: a gradient, clouds, and three depths of stars, each drawn once and then laid out like tiles. */
export class Starfield {
  #layers: Layer[] = []
  #theme: Theme | undefined
  #isStill = false

  prepare(theme: Theme, pixelRatio: number, isStill: boolean): void {
    this.#theme = theme
    this.#isStill = isStill
    const random = numbersFrom(7)
    this.#layers = [
      { tile: clouds(theme, 1200, random), size: 1200, depth: 0.08 },
      stars(theme, { size: 520, count: 90, radius: 0.7, alpha: 0.55, depth: 0.16 }),
      stars(theme, { size: 640, count: 46, radius: 1.05, alpha: 0.8, depth: 0.34 }),
      stars(theme, { size: 760, count: 16, radius: 1.6, alpha: 1, depth: 0.6 }),
    ]

    function stars(
      { star, isDark }: Theme,
      kind: { size: number; count: number; radius: number; alpha: number; depth: number },
    ): Layer {
      const { size, count, radius, alpha, depth } = kind
      const [tile, context] = surface(size, pixelRatio)
      context.fillStyle = star
      for (let index = 0; index < count; index += 1) {
        const x = radius + random() * (size - 2 * radius)
        const y = radius + random() * (size - 2 * radius)
        context.globalAlpha = alpha * (0.35 + 0.65 * random()) * (isDark ? 1 : 0.6)
        context.beginPath()
        context.arc(x, y, radius * (0.6 + 0.6 * random()), 0, 2 * Math.PI)
        context.fill()
      }
      return { tile, size, depth }
    }
  }

  draw(context: CanvasRenderingContext2D, camera: Camera): void {
    const theme = this.#theme
    if (theme === undefined) return
    const { width, height } = camera
    const reach = Math.hypot(width, height) / 2
    const sky = context.createRadialGradient(
      width / 2,
      height * 0.42,
      0,
      width / 2,
      height / 2,
      reach,
    )
    sky.addColorStop(0, theme.skyInner)
    sky.addColorStop(1, theme.skyOuter)
    context.globalAlpha = 1
    context.fillStyle = sky
    context.fillRect(0, 0, width, height)
    for (const { tile, size, depth } of this.#layers) {
      const factor = this.#isStill ? 0 : depth * camera.scale
      const left = -remainder(camera.x * factor - camera.shakeX * depth, size)
      const top = -remainder(camera.y * factor - camera.shakeY * depth, size)
      for (let x = left; x < width; x += size) {
        for (let y = top; y < height; y += size) context.drawImage(tile, x, y, size, size)
      }
    }
    this.#drawGrid(context, camera, theme)
  }

  #drawGrid(context: CanvasRenderingContext2D, camera: Camera, theme: Theme): void {
    const { width, height, scale } = camera
    const gap = GRID_PIXELS * scale
    const left = remainder(width / 2 - camera.x * scale + camera.shakeX, gap)
    const top = remainder(height * camera.middle - camera.y * scale + camera.shakeY, gap)
    context.strokeStyle = theme.grid
    context.lineWidth = 1
    context.beginPath()
    for (let x = left; x < width; x += gap) {
      context.moveTo(x, 0)
      context.lineTo(x, height)
    }
    for (let y = top; y < height; y += gap) {
      context.moveTo(0, y)
      context.lineTo(width, y)
    }
    context.stroke()
  }
}

function clouds(theme: Theme, size: number, random: () => number): HTMLCanvasElement {
  const [tile, context] = surface(size, 0.25)
  for (let index = 0; index < 9; index += 1) {
    const color = theme.nebula[index % theme.nebula.length] ?? 'transparent'
    const radius = size * (0.24 + random() * 0.26)
    const x = random() * size
    const y = random() * size
    // Nine times, so that what leaves the tile on one side comes in on the other.
    for (const dx of [-size, 0, size]) {
      for (const dy of [-size, 0, size]) {
        drawGlowAt(context, color, x + dx, y + dy, radius)
      }
    }
  }
  return tile
}

function surface(size: number, ratio: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = Math.round(size * ratio)
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('this browser has no canvas')
  context.scale(canvas.width / size, canvas.height / size)
  return [canvas, context]
}

const remainder = (value: number, by: number): number => ((value % by) + by) % by

/** The same numbers for everybody: mulberry32. */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
