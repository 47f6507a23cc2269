import { newCounters, addCounters, type KcpCounters } from '../counters.ts'
import type { DatagramSocket, ScrubbedSocket, ScrubRules, Siblings } from '../datagram-socket.ts'
import type { Endpoint } from '../endpoint.ts'

export interface ScrubbingOptions {
  readonly rules: Omit<ScrubRules, 'nowMs'>
  /** Has the listener read and send by this socket. */
  readonly usePort: (socket: DatagramSocket) => void
  /** The thread has dropped first hellos above the budget. */
  readonly onFlood: (nowMs: number) => void
}

/**
 * Has a thread of its own read the port while it is flooded: to read a datagram costs the process more than all
 * the listener does with it, and sessions would wait for that.
 */
export class Scrubbing {
  /** What the threads so far have answered and kept back. */
  readonly counters: KcpCounters = newCounters()
  readonly #endpoint: Endpoint
  readonly #siblings: Siblings | undefined
  readonly #options: ScrubbingOptions
  #scrubber: ScrubbedSocket | undefined
  /** A thread could not be had, or ended: there is none in this flood. */
  #hasFailed = false
  #isClosed = false
  /** One socket takes the place of another. */
  #change: Promise<void> | undefined

  constructor(endpoint: Endpoint, siblings: Siblings | undefined, options: ScrubbingOptions) {
    this.#endpoint = endpoint
    this.#siblings = siblings
    this.#options = options
  }

  /**
   * Looks, now and then, at who should read the port.
   *
   * @param isMuch - More is dropped than this thread should read.
   * @param isFlooded - The flood is not over.
   */
  look(isMuch: boolean, isFlooded: boolean): void {
    this.#scrubber?.setNow(this.#endpoint.clock.now())
    if (!isFlooded) this.#hasFailed = false
    const isWanted = isFlooded && !this.#hasFailed && (isMuch || this.#scrubber !== undefined)
    if (isWanted === (this.#scrubber !== undefined)) return
    if (this.#siblings === undefined || this.#change !== undefined || this.#isClosed) return
    const change = isWanted ? this.#begin(this.#siblings) : this.#end(this.#siblings)
    this.#change = change
      .catch((error: Error) => this.#failed(error))
      .finally(() => {
        this.#change = undefined
      })
  }

  /** Closes whatever reads the port. */
  async closePort(): Promise<void> {
    this.#isClosed = true
    await this.#change
    await this.#endpoint.socket.close()
  }

  async #begin(siblings: Siblings): Promise<void> {
    const endpoint = this.#endpoint
    const scrubber = await siblings.scrubbed({
      ...this.#options.rules,
      nowMs: endpoint.clock.now(),
    })
    // What waits in the queue of the socket that closes is lost, and sent again: nearly all of it is the flood.
    const before = endpoint.socket
    this.#scrubber = scrubber
    this.#options.usePort(scrubber)
    scrubber.onCounters = (counters) => {
      addCounters(this.counters, counters)
      if (counters.dropped.retryBudget > 0) this.#options.onFlood(endpoint.now())
    }
    scrubber.onLost = (error) => {
      this.#failed(error)
      this.look(false, true)
    }
    await before.close()
  }

  async #end(siblings: Siblings): Promise<void> {
    // Both read the port for a moment, so that nothing is lost.
    const socket = await siblings.plain()
    const scrubber = this.#scrubber!
    this.#scrubber = undefined
    this.#options.usePort(socket)
    await scrubber.close()
  }

  #failed(error: Error): void {
    this.#hasFailed = true
    const { logger } = this.#endpoint.options
    logger.warn('no thread reads the flooded port', { message: error.message })
  }
}
