import {
  decideFate,
  noUdpCounters,
  noUdpFaults,
  type DatagramFate,
  type UdpCounters,
  type UdpFaults,
} from './datagram-faults.ts'
import { clearTimeout, setTimeout } from './real-time.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Held back by delay or reordering, all clients together; more are lost. */
const MAX_HELD_DATAGRAMS = 10_000
/** A reordered datagram that nothing overtakes goes on after this long. */
const MAX_REORDER_WAIT_MS = 50

type Send = (bytes: Uint8Array) => void

interface Held {
  overtakenBy: number
  readonly release: () => void
}

/** One direction of a UDP proxy: applies the faults and sends what is left, when it is due. */
export class DatagramLine {
  readonly faults: UdpFaults = noUdpFaults()
  readonly counters: UdpCounters = noUdpCounters()
  readonly #random: SeededRandom
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #reordered = new Set<Held>()

  constructor(random: SeededRandom) {
    this.#random = random
  }

  pass(datagram: Uint8Array, send: Send): void {
    for (const fate of decideFate(datagram, this.faults, this.#random, this.counters)) {
      if (this.#timers.size >= MAX_HELD_DATAGRAMS) this.counters.overflowed += 1
      else if (fate.delayMs > 0) this.#after(fate.delayMs, () => this.#arrive(fate, send))
      else this.#arrive(fate, send)
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#reordered.clear()
  }

  #arrive(fate: DatagramFate, send: Send): void {
    const deliver = (): void => {
      // A route that was cut meanwhile loses what was on it.
      if (this.faults.isCut) {
        this.counters.lost += 1
        return
      }
      this.counters.sent += 1
      send(fate.bytes)
    }
    if (fate.overtakenBy > 0) this.#hold(fate.overtakenBy, deliver)
    else {
      deliver()
      this.#overtake()
    }
  }

  #hold(overtakenBy: number, deliver: () => void): void {
    const held: Held = {
      overtakenBy,
      release: () => {
        if (!this.#reordered.delete(held)) return
        this.#cancel(timer)
        deliver()
      },
    }
    const timer = this.#after(MAX_REORDER_WAIT_MS, held.release)
    this.#reordered.add(held)
  }

  #overtake(): void {
    for (const held of this.#reordered) {
      held.overtakenBy -= 1
      if (held.overtakenBy === 0) held.release()
    }
  }

  #after(delayMs: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, delayMs)
    this.#timers.add(timer)
    return timer
  }

  #cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer)
    this.#timers.delete(timer)
  }
}
