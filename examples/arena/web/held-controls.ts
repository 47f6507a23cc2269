import { STEP_MS, type Controls } from '../src/shared/rules.ts'

/** Turns what is held from frame to frame into the controls of whole steps: a short tap turns a little. */
export class HeldControls {
  #turnMs = 0
  #heldMs = 0
  #thrust = false
  #fire = false

  /** Time since the last step. */
  get sinceMs(): number {
    return this.#heldMs
  }

  /** The controls of the step so far. */
  get soFar(): Controls {
    const turn = this.#heldMs === 0 ? 0 : this.#turnMs / this.#heldMs
    return { turn: Math.max(-1, Math.min(1, turn)), thrust: this.#thrust, fire: this.#fire }
  }

  /** Lets time pass with `controls` held; returns the controls of each step that ended. */
  advance(dtMs: number, controls: Controls): Controls[] {
    const steps: Controls[] = []
    let left = dtMs
    do {
      const slice = Math.min(left, STEP_MS - this.#heldMs)
      this.#turnMs += controls.turn * slice
      this.#heldMs += slice
      this.#thrust ||= controls.thrust
      this.#fire ||= controls.fire
      left -= slice
      if (this.#heldMs < STEP_MS - 1e-6) continue
      steps.push({ ...this.soFar, turn: Math.max(-1, Math.min(1, this.#turnMs / STEP_MS)) })
      this.clear()
    } while (left > 1e-6)
    return steps
  }

  clear(): void {
    this.#turnMs = 0
    this.#heldMs = 0
    this.#thrust = false
    this.#fire = false
  }
}
