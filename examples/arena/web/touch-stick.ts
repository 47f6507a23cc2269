import type { Controls } from '../src/shared/rules.ts'
import { turnToward } from './steering.ts'

/** How far the knob goes, in pixels; nearer to the middle than the first share it does nothing, than the second no thrust. */
const REACH_PIXELS = 46
const DEAD_SHARE = 0.22
const THRUST_SHARE = 0.6

export interface TouchParts {
  /** Where a finger may come down to steer. */
  readonly zone: HTMLElement
  readonly base: HTMLElement
  readonly knob: HTMLElement
  readonly fire: HTMLElement
}

/** A stick that points where the ship shall go, and a button that fires. */
export class TouchStick {
  readonly #parts: TouchParts
  #finger: number | undefined
  #middle = { x: 0, y: 0 }
  #x = 0
  #y = 0
  #fingersOnFire = new Set<number>()

  constructor(parts: TouchParts) {
    this.#parts = parts
    const { zone, fire } = parts
    zone.addEventListener('pointerdown', (event) => this.#take(event))
    zone.addEventListener('pointermove', (event) => {
      if (event.pointerId === this.#finger) this.#move(event)
    })
    fire.addEventListener('pointerdown', (event) => {
      event.preventDefault()
      fire.setPointerCapture(event.pointerId)
      this.#fingersOnFire.add(event.pointerId)
      fire.classList.add('held')
    })
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
      zone.addEventListener(end, (event) => {
        if (event.pointerId === this.#finger) this.#letGo()
      })
      fire.addEventListener(end, (event) => {
        this.#fingersOnFire.delete(event.pointerId)
        fire.classList.toggle('held', this.#fingersOnFire.size > 0)
      })
    }
    // A long press would open a menu.
    for (const part of [zone, fire])
      part.addEventListener('contextmenu', (event) => event.preventDefault())
  }

  release(): void {
    this.#letGo()
    this.#fingersOnFire.clear()
    this.#parts.fire.classList.remove('held')
  }

  /** Undefined while no finger is down. */
  read(angle: number): Controls | undefined {
    const fire = this.#fingersOnFire.size > 0
    const push = Math.hypot(this.#x, this.#y)
    if (this.#finger === undefined || push < DEAD_SHARE)
      return fire ? { turn: 0, thrust: false, fire } : undefined
    const turn = turnToward(angle, Math.atan2(this.#y, this.#x))
    return { turn, thrust: push > THRUST_SHARE, fire }
  }

  #take(event: PointerEvent): void {
    if (this.#finger !== undefined) return
    event.preventDefault()
    const { zone, base } = this.#parts
    zone.setPointerCapture(event.pointerId)
    this.#finger = event.pointerId
    // The stick comes to the finger, unless that is on it already.
    const box = base.getBoundingClientRect()
    this.#middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 }
    if (
      Math.hypot(event.clientX - this.#middle.x, event.clientY - this.#middle.y) >
      box.width / 2
    ) {
      base.style.translate = `${event.clientX - this.#middle.x}px ${event.clientY - this.#middle.y}px`
      this.#middle = { x: event.clientX, y: event.clientY }
    }
    base.classList.add('held')
    this.#move(event)
  }

  #move(event: PointerEvent): void {
    const dx = (event.clientX - this.#middle.x) / REACH_PIXELS
    const dy = (event.clientY - this.#middle.y) / REACH_PIXELS
    const shrink = 1 / Math.max(1, Math.hypot(dx, dy))
    this.#x = dx * shrink
    this.#y = dy * shrink
    this.#parts.knob.style.translate = `${this.#x * REACH_PIXELS}px ${this.#y * REACH_PIXELS}px`
  }

  #letGo(): void {
    this.#finger = undefined
    this.#x = 0
    this.#y = 0
    this.#parts.knob.style.translate = ''
    this.#parts.base.style.translate = ''
    this.#parts.base.classList.remove('held')
  }
}
