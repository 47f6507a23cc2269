import { IDLE, type Controls } from '../src/shared/rules.ts'
import type { TouchStick } from './touch-stick.ts'

type Action = 'left' | 'right' | 'thrust' | 'fire'

const KEYS: Readonly<Record<string, Action>> = {
  ArrowLeft: 'left',
  KeyA: 'left',
  ArrowRight: 'right',
  KeyD: 'right',
  ArrowUp: 'thrust',
  KeyW: 'thrust',
  Space: 'fire',
}
/** They would scroll the page or a panel. */
const SWALLOWED = new Set([...Object.keys(KEYS), 'ArrowDown'])

/** What the player holds down: keys, or the stick and the button of a touch screen. */
export class PlayerControls {
  readonly #held = new Set<Action>()
  readonly #stick: TouchStick

  constructor(stick: TouchStick) {
    this.#stick = stick
    addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event)) return
      if (SWALLOWED.has(event.code)) event.preventDefault()
      const action = KEYS[event.code]
      if (action !== undefined) this.#held.add(action)
    })
    addEventListener('keyup', (event) => {
      const action = KEYS[event.code]
      if (action !== undefined) this.#held.delete(action)
    })
    addEventListener('blur', () => this.release())
    document.addEventListener('visibilitychange', () => this.release())
  }

  /** Lets go of everything: what is released while another window has the keys is never told. */
  release(): void {
    this.#held.clear()
    this.#stick.release()
  }

  /** @param angle - Where the own ship points: the stick says where to go, not which way to turn. */
  read(angle: number): Controls {
    const byStick = this.#stick.read(angle)
    const byKeys = Number(this.#held.has('right')) - Number(this.#held.has('left'))
    if (this.#held.size === 0 && byStick === undefined) return IDLE
    return {
      turn: byKeys === 0 ? (byStick?.turn ?? 0) : byKeys,
      thrust: this.#held.has('thrust') || byStick?.thrust === true,
      fire: this.#held.has('fire') || byStick?.fire === true,
    }
  }
}

/** Whether a key is meant for what has the focus: text, the chat that scrolls, or a button. */
function isElsewhere({ target, code }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target instanceof HTMLInputElement) return true
  if (target.role === 'log') return code.startsWith('Arrow')
  return code === 'Space' && ['BUTTON', 'SUMMARY'].includes(target.tagName)
}
