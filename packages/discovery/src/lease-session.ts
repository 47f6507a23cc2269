import { Backoff } from './backoff.ts'
import type { Backend, LeaseId } from './backend.ts'
import { inBackground, type Clock } from './clock.ts'
import { DiscoveryError } from './errors.ts'
import type { Logger } from './logger.ts'
import { unitFrom, type Random } from './random.ts'

/**
 * - `none`: not started, or stopped
 * - `live`: acknowledged within the last half of its time
 * - `suspect`: still surely held, but acknowledgements are missing
 * - `lost`: no longer surely held; being re-established for ever
 */
export type LeaseState = 'none' | 'live' | 'suspect' | 'lost'

/** The node's liveness. */
export interface Lease {
  readonly state: LeaseState
  /** Monotonic milliseconds of the registry's clock: while `now() < heldUntil` the lease is surely held. 0 without one. */
  readonly heldUntil: number
}

export interface LeaseSessionOptions {
  readonly backend: Backend
  readonly ttlSeconds: number
  readonly fenceMarginMs: number
  readonly callTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** How many nodes come back together when the backend was away. */
  readonly fleet: () => number
  /** How many nodes lost their leases while the backend was there. */
  readonly missing: () => number
  /** `renewed`: the same lease as before, so what was bound to it may still stand. */
  readonly onLive: (lease: LeaseId, renewed: boolean, before: LeaseState) => void
  readonly onSuspect: (lease: LeaseId) => void
  /** It was held and is not any more. */
  readonly onLost: (lease: LeaseId, reason: LeaseLoss) => void
  /** The backend does not have it: neither the lease nor anything bound to it can come back. */
  readonly onGone: (lease: LeaseId) => void
  /** After each acknowledged keepalive. */
  readonly onAcknowledged: (lease: LeaseId) => void
}
/** `fenced`: given up by the clock, the backend may still have it; `gone`: the backend said so. */
export type LeaseLoss = 'fenced' | 'gone'

const RETRY_BASE_MS = 50
/** With full jitter a node is back within a second of the backend's first answer. */
const RETRY_MAX_MS = 900
/** For each node of a fleet; with three requests of each that is some 170 a second. */
const RETURN_MS_PER_NODE = 18
/** The same where the loss is heard with the next keepalive, which takes up to a third of the TTL. */
const REPLACE_MS_PER_NODE = 13

/**
 * One lease, kept alive on a monotonic clock and given up by that clock before the backend can end it: it is
 * counted from when the acknowledged keepalive was sent. A lost one is re-established for ever, the same
 * lease first (a restarted etcd still has it), else a new one.
 */
export class LeaseSession implements Lease {
  readonly #options: LeaseSessionOptions
  readonly #backoff: Backoff
  #running = new AbortController()
  #lease: LeaseId | undefined
  #state: LeaseState = 'none'
  #heldUntil = 0
  #suspectAt = 0
  #tenure = 0
  /** How long the next lease has to wait for its turn. */
  #politeMs = 0
  #cancelWatchdog: () => void = () => {}
  #wake: () => void = () => {}

  constructor(options: LeaseSessionOptions) {
    this.#options = options
    this.#backoff = new Backoff({
      baseMs: RETRY_BASE_MS,
      maxMs: RETRY_MAX_MS,
      random: options.random,
      // A restarted server gives every lease its whole time again: all must be back within it.
      spreadMs: () => Math.min(options.fleet() * RETURN_MS_PER_NODE, options.ttlSeconds * 900),
    })
    this.#running.abort()
  }

  /** What the clock says now, even when a process that was stopped has not yet run its timers. */
  get state(): LeaseState {
    if (this.#state === 'live' || this.#state === 'suspect') {
      const now = this.#options.clock.now()
      if (now >= this.#heldUntil) return 'lost'
      if (now >= this.#suspectAt) return 'suspect'
    }
    return this.#state
  }

  get heldUntil(): number {
    return this.#heldUntil
  }

  /** The lease while it is surely held. */
  get held(): LeaseId | undefined {
    return this.#options.clock.now() < this.#heldUntil ? this.#lease : undefined
  }

  /** Grows with each loss: what was made in an earlier one is over. */
  get tenure(): number {
    return this.#tenure
  }

  /** Tries for `timeoutMs` to get the first lease; then keeps it in the background. */
  async start(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const running = new AbortController()
    this.#running = running
    const onAbort = () => running.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const giveUpAt = clock.now() + timeoutMs
    try {
      signal?.throwIfAborted()
      for (;;) {
        try {
          await this.#grant(giveUpAt - clock.now(), running.signal)
          break
        } catch (error) {
          running.signal.throwIfAborted()
          const delayMs = this.#backoff.nextMs()
          const isFinal = !(error instanceof DiscoveryError) || error.code === 'DISCOVERY_DENIED'
          if (isFinal || clock.now() + delayMs >= giveUpAt) throw error
          await this.#pause(delayMs, clock)
          running.signal.throwIfAborted()
        }
      }
    } catch (error) {
      running.abort()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    this.#backoff.reset()
    void this.#keep(running.signal)
  }

  /** Ends the session and the lease with it; a backend that does not answer is left to its clock. */
  async stop(timeoutMs: number): Promise<void> {
    const lease = this.#lease
    this.#running.abort(new DiscoveryError('DISCOVERY_STOPPED', 'the registry was stopped'))
    this.#wake()
    this.#cancelWatchdog()
    this.#lease = undefined
    this.#heldUntil = 0
    this.#state = 'none'
    this.#tenure++
    if (lease === undefined) return
    try {
      await this.#options.backend.revokeLease(lease, { timeoutMs })
    } catch (error) {
      this.#options.logger.warn('lease not revoked, it ends by itself', { lease, error })
    }
  }

  /** A call learned that the backend does not know the lease. */
  reportGone(lease: LeaseId): void {
    if (lease !== this.#lease || this.#running.signal.aborted) return
    this.#lose('gone')
    this.#wake()
  }

  async #keep(running: AbortSignal): Promise<void> {
    const background = inBackground(this.#options.clock)
    let delayMs = this.#beatMs()
    while (!running.aborted) {
      await this.#pause(delayMs, background)
      if (running.aborted) return
      try {
        await this.#beat(running)
        this.#backoff.reset()
        delayMs = this.#beatMs()
      } catch (error) {
        if (running.aborted) return
        delayMs = this.#retryMs()
        this.#options.logger.debug('keepalive failed, trying again', { delayMs, error })
      }
    }
  }

  async #beat(running: AbortSignal): Promise<void> {
    const { backend, clock } = this.#options
    const lease = this.#lease
    if (lease === undefined) return this.#renew(running)
    const sentAt = clock.now()
    const ttlSeconds = await backend.keepAlive(lease, { timeoutMs: this.#answerMs() })
    if (running.aborted || lease !== this.#lease) return
    if (ttlSeconds > 0) {
      if (this.#acknowledge(lease, sentAt, ttlSeconds)) this.#options.onAcknowledged(lease)
      return
    }
    this.#lose('gone')
    await this.#renew(running)
  }

  async #renew(running: AbortSignal): Promise<void> {
    const { clock, callTimeoutMs } = this.#options
    const delayMs = this.#politeMs
    this.#politeMs = 0
    if (delayMs > 0) await this.#pause(delayMs, inBackground(clock))
    if (!running.aborted) await this.#grant(callTimeoutMs, running)
  }

  async #grant(timeoutMs: number, running: AbortSignal): Promise<void> {
    const { backend, clock, ttlSeconds } = this.#options
    const sentAt = clock.now()
    const grant = await backend.grantLease(ttlSeconds, { timeoutMs, signal: running })
    if (running.aborted) return
    if (!this.#acknowledge(grant.id, sentAt, grant.ttlSeconds)) {
      throw new DiscoveryError('DISCOVERY_UNAVAILABLE', 'the lease was over when it was granted')
    }
  }

  /** @returns false when the answer came so late that it proves nothing */
  #acknowledge(lease: LeaseId, sentAt: number, ttlSeconds: number): boolean {
    const { clock, fenceMarginMs, logger } = this.#options
    // Stopped for longer than the lease surely lived: whoever relied on it is told before it is live again.
    this.#watch()
    const heldUntil = sentAt + ttlSeconds * 1000 - fenceMarginMs
    if (heldUntil <= clock.now()) return false
    const renewed = lease === this.#lease
    const before = this.#state
    this.#lease = lease
    this.#heldUntil = heldUntil
    this.#suspectAt = sentAt + (ttlSeconds * 1000) / 2
    this.#state = 'live'
    this.#watch()
    if (before !== 'live') {
      logger.info('lease live', { lease, renewed, before })
      this.#options.onLive(lease, renewed, before)
    }
    return true
  }

  /** Moves the state on as the clock demands and plans the next look. */
  #watch(): void {
    this.#cancelWatchdog()
    if (this.#state !== 'live' && this.#state !== 'suspect') return
    const { clock, logger, onSuspect } = this.#options
    const now = clock.now()
    if (now >= this.#heldUntil) {
      this.#lose('fenced')
      return
    }
    if (now < this.#suspectAt) {
      this.#cancelWatchdog = inBackground(clock).setTimer(this.#suspectAt - now, () =>
        this.#watch(),
      )
      return
    }
    this.#cancelWatchdog = inBackground(clock).setTimer(this.#heldUntil - now, () => this.#watch())
    if (this.#state === 'suspect') return
    this.#state = 'suspect'
    logger.warn('lease suspect, keepalives are not answered', { lease: this.#lease })
    onSuspect(this.#lease!)
  }

  #lose(reason: LeaseLoss): void {
    const lease = this.#lease!
    const wasHeld = this.#state === 'live' || this.#state === 'suspect'
    this.#cancelWatchdog()
    if (reason === 'gone') this.#lease = undefined
    this.#state = 'lost'
    this.#heldUntil = 0
    if (wasHeld) {
      // Who was away comes back at a time of its own; who was not hears of it together with all the others.
      if (reason === 'gone') this.#politeMs = this.#crowdMs()
      // What was drawn while time was short says nothing about a fair turn.
      this.#backoff.reset()
      this.#tenure++
      this.#options.logger.warn('lease lost', { lease, reason })
      this.#options.onLost(lease, reason)
    }
    if (reason === 'gone') this.#options.onGone(lease)
  }

  /** Waits until it is time, `reportGone` or `stop`. */
  #pause(delayMs: number, clock: Clock): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.setTimer(delayMs, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  /** While the lease is held there is not much time to be polite. */
  #retryMs(): number {
    const delayMs = this.#backoff.nextMs()
    const leftMs = this.#heldUntil - this.#options.clock.now()
    return leftMs > 0 ? Math.min(delayMs, Math.max(RETRY_BASE_MS, leftMs / 3)) : delayMs
  }

  /** When all leases end at once, a large fleet takes its new ones one after the other. */
  #crowdMs(): number {
    const { missing, random } = this.#options
    const spreadMs = missing() * REPLACE_MS_PER_NODE
    return spreadMs > RETRY_MAX_MS ? unitFrom(random) * spreadMs : 0
  }

  /** A third of the time to live, a tenth earlier or later so that nodes do not beat together. */
  #beatMs(): number {
    const { ttlSeconds, random } = this.#options
    return ((ttlSeconds * 1000) / 3) * (0.9 + 0.2 * unitFrom(random))
  }

  /** One hung keepalive may not use up the time that the next ones need. */
  #answerMs(): number {
    const { ttlSeconds, callTimeoutMs } = this.#options
    return Math.min(callTimeoutMs, (ttlSeconds * 1000) / 4)
  }
}
