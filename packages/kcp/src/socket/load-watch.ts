import type { Clock } from '../clock.ts'

const LOOK_EVERY_MS = 250
/** Shares of the time between two looks in which the event loop had work. */
const BUSY_SHARE = 0.8
const CALM_SHARE = 0.5

/** Whether the process has hardly any time left. */
export class LoadWatch {
  readonly #clock: Clock
  readonly #tell: (isBusy: boolean) => void
  #isBusy = false
  #active: number
  #idle: number
  #cancel: (() => void) | undefined

  /** @param tell - Called when it has become busy, or calm again. */
  constructor(clock: Clock, tell: (isBusy: boolean) => void) {
    this.#clock = clock
    this.#tell = tell
    const { active, idle } = clock.loopTimes?.() ?? { active: 0, idle: 0 }
    this.#active = active
    this.#idle = idle
    this.#lookLater()
  }

  stop(): void {
    this.#cancel?.()
  }

  #look(): void {
    const times = this.#clock.loopTimes!()
    const active = times.active - this.#active
    const share = active / (active + times.idle - this.#idle || 1)
    this.#active = times.active
    this.#idle = times.idle
    // To be told makes less to do, which alone must not end it: hence two marks.
    const isBusy = share >= (this.#isBusy ? CALM_SHARE : BUSY_SHARE)
    if (isBusy !== this.#isBusy) this.#tell(isBusy)
    this.#isBusy = isBusy
    this.#lookLater()
  }

  #lookLater(): void {
    if (this.#clock.loopTimes === undefined) return
    this.#cancel = this.#clock.setTimer(LOOK_EVERY_MS, () => this.#look())
  }
}
