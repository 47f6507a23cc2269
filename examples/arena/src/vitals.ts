import { relative } from 'node:path'
import type { Vitals as ReloadVitals } from '@rts/reload'
import type { Clock, IncomingCallInfo, Interceptor } from '@rts/rpc'

const WINDOW_MS = 4000

interface Counts {
  runs: number
  faults: number
}
type Window = Map<string, Counts>

/**
 * What a node does and what of it fails, of late: a reload is judged by it. An error with a code is an answer; one
 * without is a fault of the code.
 */
export class Vitals implements Interceptor, ReloadVitals {
  readonly #clock: Clock
  #before: Window = new Map()
  #now: Window = new Map()
  #nowSince: number
  #calls = 0
  #lastError: { readonly text: string; readonly at: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#nowSince = clock.now()
  }

  /** Counts a call of a player or a server. */
  incoming({ service, method }: IncomingCallInfo, next: () => unknown): unknown {
    return this.run(`${service || 'entity'}.${method}`, next)
  }

  /** Runs a piece of work, and counts whether it fails; what it throws goes on. */
  run<R>(name: string, work: () => R): R {
    const counts = this.#countsOf(name)
    counts.runs += 1
    this.#calls += 1
    try {
      const result = work()
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(counts, error))
      return result
    } catch (error) {
      this.#failed(counts, error)
      throw error
    }
  }

  /** Of the kind of work that fails most: one that always fails is not hidden by others that never do. */
  errorRate(): number {
    this.#turn()
    let worst = 0
    for (const name of new Set([...this.#before.keys(), ...this.#now.keys()])) {
      const [a, b] = [this.#before.get(name), this.#now.get(name)]
      const runs = (a?.runs ?? 0) + (b?.runs ?? 0)
      worst = Math.max(worst, ((a?.faults ?? 0) + (b?.faults ?? 0)) / runs)
    }
    return worst
  }

  /** All since the start. */
  calls(): number {
    return this.#calls
  }

  /** With the place in the code; undefined when nothing has failed of late. */
  lastError(): string | undefined {
    const isRecent = this.#clock.now() - (this.#lastError?.at ?? -Infinity) < WINDOW_MS
    return isRecent ? this.#lastError?.text : undefined
  }

  #failed(counts: Counts, error: unknown): void {
    if (typeof (error as { code?: unknown } | null)?.code === 'string') return
    counts.faults += 1
    this.#lastError = { text: describeError(error), at: this.#clock.now() }
  }

  #countsOf(name: string): Counts {
    this.#turn()
    let counts = this.#now.get(name)
    if (counts === undefined) this.#now.set(name, (counts = { runs: 0, faults: 0 }))
    return counts
  }

  /** Two halves of the window, so that what is old drops out. */
  #turn(): void {
    const passed = this.#clock.now() - this.#nowSince
    if (passed < WINDOW_MS / 2) return
    this.#before = passed < WINDOW_MS ? this.#now : new Map()
    this.#now = new Map()
    this.#nowSince = this.#clock.now()
  }
}

/** `TypeError: no such seat (game/room.ts:93)`. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const text = `${error.name}: ${error.message}`
  const [, file, line] = /(?:file:\/\/)?(\/[^\s:()]+\.ts):(\d+)/.exec(error.stack ?? '') ?? []
  if (file === undefined) return text
  return `${text} (${relative(import.meta.dirname, decodeURI(file))}:${line})`
}
