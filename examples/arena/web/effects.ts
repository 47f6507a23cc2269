import type { Camera } from './camera.ts'
import { drawGlowAt } from './glow.ts'

interface Particle {
  readonly kind: 'spark' | 'puff' | 'ring' | 'text'
  readonly color: string
  readonly size: number
  readonly lifeMs: number
  readonly text: string
  x: number
  y: number
  vx: number
  vy: number
  ageMs: number
}

const MAX_PARTICLES = 500
/** The share of its speed that a particle keeps over one second. */
const DRAG = 0.12

/** What flares up and fades: nothing here matters to the game. */
export class Effects {
  isStill = false
  #particles: Particle[] = []

  clear(): void {
    this.#particles = []
  }

  explode(x: number, y: number, vx: number, vy: number, color: string): void {
    this.#add({ kind: 'ring', color, x, y, size: 74, lifeMs: 520 })
    this.#add({ kind: 'puff', color: '#fff', x, y, size: 70, lifeMs: 200 })
    if (this.isStill) return
    this.#burst(30, 'spark', { x, y, vx, vy, color, speed: 420, size: 2.2, lifeMs: 620 })
    this.#burst(10, 'spark', { x, y, vx, vy, color: '#fff', speed: 260, size: 1.6, lifeMs: 420 })
    this.#burst(14, 'puff', { x, y, vx, vy, color, speed: 130, size: 26, lifeMs: 760 })
  }

  hit(x: number, y: number, vx: number, vy: number, color: string): void {
    this.#add({ kind: 'puff', color: '#fff', x, y, size: 30, lifeMs: 140 })
    if (this.isStill) return
    this.#burst(9, 'spark', { x, y, vx, vy, color, speed: 240, size: 1.8, lifeMs: 320 })
  }

  arrive(x: number, y: number, color: string): void {
    this.#add({ kind: 'ring', color, x, y, size: 46, lifeMs: 600 })
    this.#add({ kind: 'puff', color, x, y, size: 60, lifeMs: 380 })
  }

  exhaust(x: number, y: number, angle: number, vx: number, vy: number, color: string): void {
    if (this.isStill) return
    const speed = -90 - Math.random() * 60
    const turned = angle + (Math.random() - 0.5) * 0.5
    this.#add({
      kind: 'puff',
      color,
      x: x - Math.cos(angle) * 17,
      y: y - Math.sin(angle) * 17,
      vx: vx * 0.5 + Math.cos(turned) * speed,
      vy: vy * 0.5 + Math.sin(turned) * speed,
      size: 6 + Math.random() * 5,
      lifeMs: 260 + Math.random() * 160,
    })
  }

  say(text: string, x: number, y: number, color: string): void {
    this.#add({ kind: 'text', color, text, x, y: y - 26, vy: -60, size: 16, lifeMs: 1000 })
  }

  advance(dtMs: number): void {
    const seconds = dtMs / 1000
    const drag = DRAG ** seconds
    for (const particle of this.#particles) {
      particle.ageMs += dtMs
      particle.x += particle.vx * seconds
      particle.y += particle.vy * seconds
      particle.vx *= drag
      particle.vy *= drag
    }
    this.#particles = this.#particles.filter(({ ageMs, lifeMs }) => ageMs < lifeMs)
  }

  draw(context: CanvasRenderingContext2D, camera: Camera, isDark: boolean): void {
    context.save()
    if (isDark) context.globalCompositeOperation = 'lighter'
    for (const particle of this.#particles) {
      const left = 1 - particle.ageMs / particle.lifeMs
      camera.place(particle.x, particle.y, 80, (x, y) =>
        drawParticle(context, particle, x, y, left, camera.scale),
      )
    }
    context.restore()
  }

  #burst(
    count: number,
    kind: Particle['kind'],
    from: {
      x: number
      y: number
      vx: number
      vy: number
      color: string
      speed: number
      size: number
      lifeMs: number
    },
  ): void {
    for (let index = 0; index < count; index += 1) {
      const angle = Math.random() * 2 * Math.PI
      const speed = from.speed * (0.25 + 0.75 * Math.random())
      this.#add({
        ...from,
        kind,
        vx: from.vx * 0.5 + Math.cos(angle) * speed,
        vy: from.vy * 0.5 + Math.sin(angle) * speed,
        lifeMs: from.lifeMs * (0.5 + 0.5 * Math.random()),
      })
    }
  }

  #add(
    particle: Pick<Particle, 'kind' | 'color' | 'x' | 'y' | 'size' | 'lifeMs'> & Partial<Particle>,
  ): void {
    if (this.#particles.length >= MAX_PARTICLES) this.#particles.shift()
    this.#particles.push({ vx: 0, vy: 0, ageMs: 0, text: '', ...particle })
  }
}

function drawParticle(
  context: CanvasRenderingContext2D,
  { kind, color, size, vx, vy, text }: Particle,
  x: number,
  y: number,
  left: number,
  scale: number,
): void {
  context.globalAlpha = left
  if (kind === 'puff') drawGlowAt(context, color, x, y, size * scale * (1.2 - left * 0.2))
  else if (kind === 'text') {
    context.fillStyle = color
    context.font = `700 ${size}px system-ui, sans-serif`
    context.textAlign = 'center'
    context.fillText(text, x, y)
  } else {
    context.strokeStyle = color
    context.beginPath()
    if (kind === 'ring') {
      const grown = 1 - left ** 3
      context.lineWidth = 1 + 4 * left
      context.arc(x, y, size * grown * scale, 0, 2 * Math.PI)
    } else {
      context.lineWidth = size * scale
      context.lineCap = 'round'
      context.moveTo(x, y)
      context.lineTo(x - vx * 0.035 * scale, y - vy * 0.035 * scale)
    }
    context.stroke()
  }
}
