import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock, type Clock } from './clock.ts'
import type { Load } from './load.ts'
import type { LoadSource } from './load-link.ts'
import { checkNumber } from './options.ts'

/** What is read of the process. */
export interface ProcessReadings {
  /** Milliseconds of processor time since the process began. */
  cpuMs(): number
  /** The 99th percentile of the event loop's delay since the last call, in milliseconds. */
  delayMs(): number
  close(): void
}

export interface LoadMeterOptions {
  /** Calls the node works on. @defaultValue none told */
  readonly inFlight?: () => number
  /** Players the node serves. @defaultValue none told */
  readonly sessions?: () => number
  /** As many calls are all it can do. From 1. @defaultValue calls say nothing of how full it is */
  readonly maxInFlight?: number
  /** As many players are all it can do. From 1. @defaultValue players say nothing of how full it is */
  readonly maxSessions?: number
  /** The event loop's delay at which it counts as full, in milliseconds. From 1. @defaultValue 100 */
  readonly maxDelayMs?: number
  /** Milliseconds that one reading covers. From 1. @defaultValue 1000 */
  readonly windowMs?: number
  readonly clock?: Clock
  /** @defaultValue this process */
  readonly readings?: ProcessReadings
}

/** Measures this process. It has no timer: it looks when it is read, at most once in a window. */
export class LoadMeter implements LoadSource, Disposable {
  readonly #options: LoadMeterOptions
  readonly #clock: Clock
  readonly #windowMs: number
  readonly #maxDelayMs: number
  readonly #readings: ProcessReadings
  #readAt: number
  #cpuMs: number
  #cpu = 0
  #delayMs = 0

  constructor(options: LoadMeterOptions = {}) {
    this.#options = options
    this.#windowMs = checkNumber('windowMs', options.windowMs ?? 1000, 1)
    this.#maxDelayMs = checkNumber('maxDelayMs', options.maxDelayMs ?? 100, 1)
    if (options.maxInFlight !== undefined) checkNumber('maxInFlight', options.maxInFlight, 1)
    if (options.maxSessions !== undefined) checkNumber('maxSessions', options.maxSessions, 1)
    this.#clock = options.clock ?? systemClock
    this.#readings = options.readings ?? processReadings()
    this.#readAt = this.#clock.now()
    this.#cpuMs = this.#readings.cpuMs()
  }

  read(): Load {
    const elapsed = this.#clock.now() - this.#readAt
    if (elapsed >= this.#windowMs) this.#look(elapsed)
    const { maxInFlight, maxSessions } = this.#options
    const inFlight = this.#options.inFlight?.()
    const sessions = this.#options.sessions?.()
    const parts = [
      this.#cpu,
      this.#delayMs / this.#maxDelayMs,
      maxInFlight === undefined ? 0 : (inFlight ?? 0) / maxInFlight,
      maxSessions === undefined ? 0 : (sessions ?? 0) / maxSessions,
    ]
    return {
      // What there is least of decides.
      pressure: Math.min(1, Math.max(...parts)),
      delayMs: this.#delayMs,
      cpu: this.#cpu,
      ...(inFlight === undefined ? {} : { inFlight }),
      ...(sessions === undefined ? {} : { sessions }),
    }
  }

  /** Ends the measuring of the event loop. */
  close(): void {
    this.#readings.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #look(elapsed: number): void {
    const cpuMs = this.#readings.cpuMs()
    this.#cpu = Math.max(0, cpuMs - this.#cpuMs) / elapsed
    this.#cpuMs = cpuMs
    this.#delayMs = this.#readings.delayMs()
    this.#readAt += elapsed
  }
}

const RESOLUTION_MS = 10

function processReadings(): ProcessReadings {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    cpuMs() {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    delayMs() {
      const p99 = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6
      histogram.reset()
      // It measures the time between two looks, which are that far apart when nothing is late.
      return Math.max(0, p99 - RESOLUTION_MS)
    },
    close: () => void histogram.disable(),
  }
}
