import type { Clock, Link, Logger, Random, Transport } from '@rts/rpc'

export interface GateDialerOptions {
  readonly gates: readonly string[]
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

/** Gets links to gates, one at a time, for ever: down the list, then a pause that grows, then again. */
export class GateDialer {
  readonly #options: GateDialerOptions
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
    if (options.gates.length === 0) throw new RangeError('gates must hold at least one address')
    for (const url of options.gates) transportFor(options.transports, url)
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
    if (this.#tried < this.#options.gates.length) {
      void this.#dial()
      return
    }
    this.#tried = 0
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

  async #dial(): Promise<void> {
    if (this.#isStopped) return
    const { gates, transports, dialTimeoutMs, maxMessageBytes, clock, random, logger } =
      this.#options
    const url = gates[this.#index % gates.length]!
    const abort = new AbortController()
    this.#abort = abort
    const cancelTimer = clock.setTimer(dialTimeoutMs, () =>
      abort.abort(new Error(`${url} did not answer within ${dialTimeoutMs} ms`)),
    )
    this.dials += 1
    try {
      const link = await transportFor(transports, url).dial(url, {
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

function transportFor(transports: readonly Transport[], url: string): Transport {
  const scheme = url.slice(0, Math.max(0, url.indexOf('://')))
  for (const transport of transports) {
    // TLS is the same transport with another first word.
    if (transport.scheme === scheme || `${transport.scheme}s` === scheme) return transport
  }
  const given = transports.map((transport) => transport.scheme).join(', ') || 'none'
  throw new RangeError(`no transport for the gate ${url}; given: ${given}`)
}
