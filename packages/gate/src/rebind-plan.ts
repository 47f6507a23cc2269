import { backoffMs } from './backoff.ts'
import type { GateContext } from './gate-context.ts'

/** A binding that lived so long was a good one: the next outage starts from nothing. */
const STABLE_MS = 5000
const MAX_AVOIDED = 16

/** When a route without a backend is tried again, and which nodes better not. */
export class RebindPlan {
  readonly #gate: GateContext
  readonly #tryNow: () => void
  readonly #avoid = new Set<string>()
  #failures = 0
  #cancel: (() => void) | undefined

  constructor(gate: GateContext, tryNow: () => void) {
    this.#gate = gate
    this.#tryNow = tryNow
  }

  get isScheduled(): boolean {
    return this.#cancel !== undefined
  }

  /** Nodes that failed in this outage. */
  get avoid(): ReadonlySet<string> {
    return this.#avoid
  }

  /** No try has failed in this outage. */
  get isFresh(): boolean {
    return this.#failures === 0
  }

  schedule(): void {
    if (this.#cancel !== undefined) return
    const { clock, random, rebindDelayMs, maxRebindDelayMs } = this.#gate
    const delayMs = backoffMs(this.#failures, rebindDelayMs, maxRebindDelayMs, random)
    this.#failures += 1
    this.#cancel = clock.setTimer(delayMs, () => {
      this.#cancel = undefined
      this.#tryNow()
    })
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  failed(nodeId: string): void {
    if (this.#avoid.size >= MAX_AVOIDED) this.#avoid.clear()
    this.#avoid.add(nodeId)
  }

  /** A binding to that node, open since then, has ended. */
  lost(nodeId: string, openedMs: number): void {
    if (this.#gate.clock.now() - openedMs >= STABLE_MS) {
      this.#failures = 0
      this.#avoid.clear()
    }
    this.failed(nodeId)
  }
}
