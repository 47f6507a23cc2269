import { inBackground, type Clock } from './clock.ts'
import { checkLoad, roundLoad, type Load } from './load.ts'
import { unitFrom, type Random } from './random.ts'

/**
 * Who brings a node's load to the others.
 * - `links`: links do; the store holds a coarse class, written when it changes, for those who have no link yet
 * - `etcd`: the store does, every `loadIntervalMs`
 */
export type LoadVia = 'links' | 'etcd'

export interface LoadReporterOptions {
  readonly via: LoadVia
  readonly intervalMs: number
  readonly clock: Clock
  readonly random: Random
  /** Tells the store; what it rejects with is of no interest: the record is written again by itself. */
  readonly write: (load: Load) => Promise<void>
}

/** Of pressure 0 to 1. */
export const LOAD_CLASSES = 8
/** A class is left only when the pressure is so far outside of it. */
const HYSTERESIS = 0.5 / LOAD_CLASSES
const MIN_CLASS_INTERVAL_MS = 10_000
const JITTER = 0.2

/** Decides which loads the store hears of. */
export class LoadReporter {
  readonly #options: LoadReporterOptions
  #last: Load | undefined
  #written: Load | undefined
  #class: number | undefined
  #writtenAt = -Infinity
  #cancelTimer: (() => void) | undefined
  #isStopped = false
  #writes = 0

  constructor(options: LoadReporterOptions) {
    this.#options = options
  }

  /** How often the store was told. */
  get writes(): number {
    return this.#writes
  }

  /** @throws RangeError when a field is wrong. */
  report(load: Load): void {
    this.#last = checkLoad(load)
    if (this.#isStopped || this.#cancelTimer !== undefined) return
    if (this.#options.via === 'etcd') this.#wait(this.#interval())
    else this.#look()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelTimer?.()
  }

  #interval(): number {
    const { intervalMs, random } = this.#options
    // Before the first write anything up to a whole interval: nodes that started together do not write together.
    if (this.#written === undefined) return intervalMs * unitFrom(random)
    return intervalMs * (1 - JITTER + 2 * JITTER * unitFrom(random))
  }

  #wait(delayMs: number): void {
    this.#cancelTimer = inBackground(this.#options.clock).setTimer(delayMs, () => {
      this.#cancelTimer = undefined
      this.#look()
    })
  }

  #look(): void {
    if (this.#last === undefined || this.#isStopped) return
    if (this.#options.via === 'etcd') {
      const load = roundLoad(this.#last)
      this.#last = undefined
      if (JSON.stringify(load) !== JSON.stringify(this.#written)) this.#write(load)
      return
    }
    const next = classOf(this.#last.pressure, this.#class)
    if (next === this.#class) return
    const wait = this.#writtenAt + MIN_CLASS_INTERVAL_MS - this.#options.clock.now()
    if (wait > 0) {
      this.#wait(wait)
      return
    }
    this.#class = next
    this.#write({ pressure: (next + 0.5) / LOAD_CLASSES })
  }

  #write(load: Load): void {
    this.#written = load
    this.#writtenAt = this.#options.clock.now()
    this.#writes += 1
    this.#options.write(load).catch(() => {})
  }
}

/** The class of a pressure for a node that was in class `before`. */
export function classOf(pressure: number, before: number | undefined): number {
  const exact = Math.min(LOAD_CLASSES - 1, Math.max(0, Math.floor(pressure * LOAD_CLASSES)))
  if (before === undefined) return exact
  const low = before / LOAD_CLASSES - HYSTERESIS
  const high = (before + 1) / LOAD_CLASSES + HYSTERESIS
  return pressure >= low && pressure < high ? before : exact
}
