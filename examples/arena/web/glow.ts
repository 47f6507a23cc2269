const SIZE = 64
const glows = new Map<string, HTMLCanvasElement>()

function glowOf(color: string): HTMLCanvasElement {
  let glow = glows.get(color)
  if (glow === undefined) glows.set(color, (glow = drawGlow(color)))
  return glow
}

export function forgetGlows(): void {
  glows.clear()
}

/** A soft round light of that colour; each colour is drawn once and then copied. */
export function drawGlowAt(
  context: CanvasRenderingContext2D,
  color: string,
  x: number,
  y: number,
  radius: number,
): void {
  context.drawImage(glowOf(color), x - radius, y - radius, radius * 2, radius * 2)
}

function drawGlow(color: string): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = SIZE
  canvas.height = SIZE
  const context = canvas.getContext('2d')
  if (context === null) return canvas
  const middle = SIZE / 2
  const fade = context.createRadialGradient(middle, middle, 0, middle, middle, middle)
  fade.addColorStop(0, 'rgb(0 0 0 / 1)')
  fade.addColorStop(0.25, 'rgb(0 0 0 / 0.5)')
  fade.addColorStop(0.6, 'rgb(0 0 0 / 0.12)')
  fade.addColorStop(1, 'rgb(0 0 0 / 0)')
  context.fillStyle = fade
  context.fillRect(0, 0, SIZE, SIZE)
  // Keeps the alpha and takes the colour.
  context.globalCompositeOperation = 'source-in'
  context.fillStyle = color
  context.fillRect(0, 0, SIZE, SIZE)
  return canvas
}
