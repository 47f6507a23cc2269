import type { Clock, Link, Logger, Random, Transport } from '@rts/rpc'

/** Addresses, or a function that asks for them. */
export type Gates = readonly string[] | (() => readonly string[] | Promise<readonly string[]>)

export interface GateDialerOptions {
  readonly gates: Gates
  readonly transports: readonly Transport[]
  readonly dialTimeoutMs: number
  readonly retryDelayMs: number
  readonly maxRetryDelayMs: number
  readonly maxMessageBytes: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly onLink: (link: Link, url: string) => void
}

/** A link that lived so long was a good one: the next outage starts from nothing. */
const STABLE_MS = 5000

/**
 * Gets links to gates, one at a time, for ever: down the list, then a pause that grows, then again. A list that is asked for
 * is asked for anew before each time down.
 */
export class GateDialer {
  readonly #options: GateDialerOptions
  #gates: readonly string[] = []
  #isStale = true
  #index = 0
  /** Gates that failed since the last pause. */
  #tried = 0
  #pauses = 0
  #abort: AbortController | undefined
  #cancelPause: (() => void) | undefined
  #openedMs: number | undefined
  #isStopped = false
  dials = 0
  failed = 0

  /** @throws RangeError when there is no gate, or one that no transport reaches. */
  constructor(options: GateDialerOptions) {
    this.#options = options
    const { gates, transports } = options
    if (typeof gates === 'function') return
    if (gates.length === 0) throw new RangeError('gates must hold at least one address')
    for (const url of gates) {
      if (transportFor(transports, url) === undefined) {
        const given = transports.map((transport) => transport.scheme).join(', ') || 'none'
        throw new RangeError(`no transport for the gate ${url}; given: ${given}`)
      }
    }
    this.#gates = gates
    this.#isStale = false
  }

  /** Dials at once. */
  start(): void {
    void this.#dial()
  }

  /** The session is open on the link handed out last. */
  opened(): void {
    this.#openedMs = this.#options.clock.now()
    this.#tried = 0
  }

  /**
   * That link is gone: gets another one.
   *
   * @param elsewhere - The gate itself asks to go, so that it is tried last.
   */
  lost(elsewhere: boolean): void {
    const { clock } = this.#options
    const openedMs = this.#openedMs
    this.#openedMs = undefined
    if (openedMs === undefined) {
      this.#next()
      return
    }
    if (clock.now() - openedMs >= STABLE_MS) this.#pauses = 0
    if (elsewhere) this.#index += 1
    this.#pause()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelPause?.()
    this.#abort?.abort(new Error('the client is closed'))
  }

  /** This gate failed: the next one at once, or all of them again after a pause. */
  #next(): void {
    this.#index += 1
    this.#tried += 1
    if (this.#tried < this.#gates.length) {
      void this.#dial()
      return
    }
    this.#tried = 0
    this.#isStale = typeof this.#options.gates === 'function'
    this.#pauses = Math.max(1, this.#pauses)
    this.#pause()
  }

  /** The first pause is anywhere up to the delay, so that not all players of a gate come back at once. */
  #pause(): void {
    if (this.#isStopped) return
    const { clock, random, retryDelayMs, maxRetryDelayMs } = this.#options
    const bytes = random(4)
    const unit = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) / 2 ** 32
    const ceilingMs = Math.min(maxRetryDelayMs, retryDelayMs * 2 ** Math.min(this.#pauses, 30))
    const delayMs = this.#pauses === 0 ? ceilingMs * unit : ceilingMs * (0.5 + unit / 2)
    this.#pauses += 1
    this.#cancelPause?.()
    this.#cancelPause = clock.setTimer(delayMs, () => void this.#dial())
  }

  /** Asks where the gates are, best first. Without an answer in time the ones known so far stay. */
  async #ask(): Promise<void> {
    const { gates, transports, dialTimeoutMs, clock, logger } = this.#options
    if (typeof gates !== 'function') return
    let cancelTimer = (): void => {}
    const tooLate = new Promise<never>((_resolve, reject) => {
      cancelTimer = clock.setTimer(dialTimeoutMs, () =>
        reject(new Error(`gates() did not answer within ${dialTimeoutMs} ms`)),
      )
    })
    try {
      const found = await Promise.race([Promise.resolve().then(gates), tooLate])
      const reachable = found.filter((url) => transportFor(transports, url) !== undefined)
      if (reachable.length === 0)
        throw new Error(`no transport reaches any of [${found.join(', ')}]`)
      this.#gates = reachable
      this.#index = 0
      this.#isStale = false
    } catch (error) {
      this.#isStale = this.#gates.length === 0
      logger.warn('the gates are not known', { error: String(error) })
    } finally {
      cancelTimer()
    }
  }

  async #dial(): Promise<void> {
    if (this.#isStale) await this.#ask()
    if (this.#isStopped) return
    const { transports, dialTimeoutMs, maxMessageBytes, clock, random, logger } = this.#options
    const url = this.#gates[this.#index % this.#gates.length]
    const transport = url === undefined ? undefined : transportFor(transports, url)
    if (url === undefined || transport === undefined) return this.#next()
    const abort = new AbortController()
    this.#abort = abort
    const cancelTimer = clock.setTimer(dialTimeoutMs, () =>
      abort.abort(new Error(`${url} did not answer within ${dialTimeoutMs} ms`)),
    )
    this.dials += 1
    try {
      const link = await transport.dial(url, {
        trust: 'player',
        maxMessageBytes,
        clock,
        random,
        signal: abort.signal,
      })
      cancelTimer()
      if (this.#isStopped) link.close()
      else this.#options.onLink(link, url)
    } catch (error) {
      cancelTimer()
      if (this.#isStopped) return
      this.failed += 1
      logger.debug('a gate was not reached', { url, error: String(error) })
      this.#next()
    }
  }
}

function transportFor(transports: readonly Transport[], url: string): Transport | undefined {
  const scheme = url.slice(0, Math.max(0, url.indexOf('://')))
  // TLS is the same transport with another first word.
  return transports.find(
    (transport) => transport.scheme === scheme || `${transport.scheme}s` === scheme,
  )
}
