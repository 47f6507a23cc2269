import { Backoff } from './backoff.ts'
import type { Backend, KeyValue, LeaseId } from './backend.ts'
import type { HeldClaim, Lock } from './claim.ts'
import { checkName, checkValue, type Claims } from './claims.ts'
import { inBackground, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { DiscoveryError } from './errors.ts'
import { linePrefix, type LineKind } from './keys.ts'
import type { LeaseSession } from './lease-session.ts'
import { LiveView } from './live-view.ts'
import type { Logger } from './logger.ts'
import type { Random } from './random.ts'
import type { Sweeper } from './sweeper.ts'

export interface WaitingLinesOptions {
  readonly backend: Backend
  readonly session: LeaseSession
  readonly sweeper: Sweeper
  readonly claims: Claims
  readonly cluster: string
  /** Makes this process's places its own. */
  readonly epoch: string
  readonly callTimeoutMs: number
  readonly auditIntervalMs: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** One place in a line. */
interface Place {
  readonly prefix: string
  readonly key: string
  readonly name: string
  readonly value: string
}

/**
 * Fair lines under a prefix: who came first, by create revision, has the turn. Everybody watches only the one
 * before, so a turn that ends wakes one process. The own key is read again, under a lease that is surely held,
 * before a turn is taken.
 */
export class WaitingLines {
  readonly #options: WaitingLinesOptions
  readonly #leaving = new Set<AbortController>()
  readonly #wakes = new Set<() => void>()
  #count = 0

  constructor(options: WaitingLinesOptions) {
    this.#options = options
  }

  /** How many places this node waits in. */
  get waiting(): number {
    return this.#wakes.size
  }

  /** Settles when this node has its turn. A wait that ends otherwise leaves the line. */
  async enter(
    kind: LineKind,
    name: string,
    value: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Lock> {
    checkName(name)
    checkValue(value)
    const { cluster, epoch, clock } = this.#options
    const prefix = linePrefix(cluster, kind, name)
    const place = { prefix, key: `${prefix}${epoch}-${++this.#count}`, name, value }
    const leave = new AbortController()
    this.#leaving.add(leave)
    const turn = this.#wait(place, leave.signal)
    try {
      // What is on its way when the wait ends need not hold up who waits.
      return await withDeadline(turn, {
        clock,
        timeoutMs,
        signal: signal ? AbortSignal.any([signal, leave.signal]) : leave.signal,
        onTimeout: () =>
          new DiscoveryError('DISCOVERY_TIMEOUT', `${name}: no turn within ${timeoutMs} ms`),
      })
    } catch (error) {
      leave.abort(error)
      // The turn may have come at that very moment.
      const giveBack = async () => (await turn).release()
      giveBack().catch(() => {})
      throw error
    } finally {
      this.#leaving.delete(leave)
    }
  }

  /** There is a lease (again): whose place went with the old one lines up anew. */
  wake(): void {
    for (const wake of [...this.#wakes]) wake()
  }

  stop(reason: DiscoveryError): void {
    for (const leave of [...this.#leaving]) leave.abort(reason)
  }

  async #wait(place: Place, signal: AbortSignal): Promise<HeldClaim> {
    const { sweeper, claims, random } = this.#options
    const backoff = new Backoff({ baseMs: 50, maxMs: 900, random })
    claims.stand(place.key, true)
    try {
      for (;;) {
        signal.throwIfAborted()
        try {
          const lock = await this.#step(place, signal)
          if (lock) return lock
          backoff.reset()
        } catch (error) {
          signal.throwIfAborted()
          const isPassing = error instanceof DiscoveryError && error.code !== 'DISCOVERY_DENIED'
          if (!isPassing) throw error
          this.#options.logger.debug('waiting in line, trying again', { key: place.key, error })
          await this.#pause(backoff.nextMs(), signal)
        }
      }
    } catch (error) {
      sweeper.add(place.key)
      sweeper.sweep(place.key).catch(() => {})
      throw error
    } finally {
      claims.stand(place.key, false)
    }
  }

  /** Looks at the line once: takes the turn, or waits until that may have changed. */
  async #step(place: Place, signal: AbortSignal): Promise<HeldClaim | undefined> {
    const { backend, session, claims, callTimeoutMs } = this.#options
    const { key, prefix, name, value } = place
    const lease = session.held
    if (lease === undefined) {
      await this.#news(signal).come
      return undefined
    }
    const { entries } = await backend.range({ prefix }, { timeoutMs: callTimeoutMs, signal })
    const mine = entries.find((entry) => entry.key === key)
    if (!mine) {
      await this.#lineUp(place, lease)
      return undefined
    }
    // From a lease before this one, which the store no longer has: it is about to go.
    if (mine.lease !== lease) {
      throw new DiscoveryError('DISCOVERY_LEASE_LOST', `${key} stands under an old lease`)
    }
    const before = lastBefore(entries, mine.createRevision)
    if (before) {
      await this.#untilGone(before, signal)
      return undefined
    }
    signal.throwIfAborted()
    return session.held === lease ? claims.hold(key, name, value, mine.modRevision) : undefined
  }

  async #lineUp({ key, value }: Place, lease: LeaseId): Promise<void> {
    const { backend, session, callTimeoutMs } = this.#options
    try {
      await backend.transact(
        { when: [{ key, createRevision: 0 }], then: [{ kind: 'put', key, value, lease }] },
        { timeoutMs: callTimeoutMs },
      )
    } catch (error) {
      if (error instanceof DiscoveryError && error.code === 'DISCOVERY_LEASE_LOST') {
        session.reportGone(lease)
      }
      throw error
    }
  }

  /** Waits until that very entry is gone, or there is other news. */
  async #untilGone(entry: KeyValue, signal: AbortSignal): Promise<void> {
    const { backend, callTimeoutMs, auditIntervalMs, clock, random, logger } = this.#options
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      const stands = view.entries.get(entry.key)?.createRevision === entry.createRevision
      if (view.isListed && !stands) resolve()
    }
    const view = new LiveView({
      backend,
      range: { key: entry.key },
      callTimeoutMs,
      auditIntervalMs,
      clock,
      random,
      logger,
      onChange: look,
      onFresh: () => {},
      onInterrupted: () => {},
      onListed: look,
    })
    const news = this.#news(signal)
    try {
      await Promise.race([promise, news.come])
    } finally {
      news.forget()
      view.close()
    }
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      const end = () => {
        cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = inBackground(clock).setTimer(delayMs, end)
      signal.addEventListener('abort', end, { once: true })
    })
  }

  /** What else may end a wait: a lease, or that nobody wants it any more. */
  #news(signal: AbortSignal): { readonly come: Promise<void>; readonly forget: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const forget = () => {
      this.#wakes.delete(end)
      signal.removeEventListener('abort', end)
    }
    const end = () => {
      forget()
      resolve()
    }
    this.#wakes.add(end)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    return { come: promise, forget }
  }
}

function lastBefore(entries: readonly KeyValue[], revision: number): KeyValue | undefined {
  let last: KeyValue | undefined
  for (const entry of entries) {
    const isBefore = entry.createRevision < revision
    if (isBefore && entry.createRevision > (last?.createRevision ?? 0)) last = entry
  }
  return last
}
