import assert from 'node:assert/strict'
import type { Lock } from '../../src/index.ts'

/**
 * What locks and claims guard. It writes down who acts and with which fence; nobody may come with a smaller one
 * than it has seen, and no two may believe at the same time that they hold it.
 */
export class GuardedResource {
  readonly #now: () => number
  readonly #holders = new Map<number, Lock>()
  #highest = 0
  #acts = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** How often somebody acted. */
  get acts(): number {
    return this.#acts
  }

  /** What this process was given last. */
  held(by: number): Lock | undefined {
    const lock = this.#holders.get(by)
    return lock && this.#now() < lock.heldUntil ? lock : undefined
  }

  give(to: number, lock: Lock): void {
    this.#holders.set(to, lock)
  }

  /** Each of these processes acts if it may. */
  act(processes: readonly number[], where: string): void {
    const acting = processes.filter((each) => this.held(each))
    assert(acting.length <= 1, `${where}: ${acting} hold it at the same time`)
    for (const each of acting) {
      const { fence } = this.held(each)!
      assert(fence >= this.#highest, `${where}: ${each} acts with ${fence} after ${this.#highest}`)
      this.#highest = fence
      this.#acts++
    }
  }
}
