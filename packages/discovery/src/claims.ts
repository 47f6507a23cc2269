import type { Backend, LeaseId, TransactionResult } from './backend.ts'
import { HeldClaim, type ClaimHolder, type ClaimOffer, type ClaimOutcome } from './claim.ts'
import { withDeadline } from './deadline.ts'
import { DiscoveryError } from './errors.ts'
import type { Clock } from './clock.ts'
import { claimKey } from './keys.ts'
import type { LeaseSession } from './lease-session.ts'
import type { Sweeper } from './sweeper.ts'

/** Bounds on what may be claimed: every claim is kept in memory by the store. */
const MAX_KEY_LENGTH = 512
const MAX_VALUE_LENGTH = 4096

export interface ClaimsOptions {
  readonly backend: Backend
  readonly session: LeaseSession
  readonly sweeper: Sweeper
  readonly cluster: string
  readonly callTimeoutMs: number
  readonly clock: Clock
}

/** The claims of one node, and the rule that they end with its lease. */
export class Claims {
  readonly #options: ClaimsOptions
  /** By the key in the store. */
  readonly #held = new Map<string, HeldClaim>()
  /** Writes on their way, one at a time for each key. */
  readonly #busy = new Map<string, Promise<unknown>>()
  /** Keys in the store with which this node stands in a line. */
  readonly #standing = new Set<string>()

  constructor(options: ClaimsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#held.size
  }

  claim(
    name: string,
    value: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ClaimOutcome> {
    return this.#take(name, value, 0, timeoutMs, signal)
  }

  /** Takes what another process, or this one, offers. */
  accept(
    offer: ClaimOffer,
    value: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ClaimOutcome> {
    if (!Number.isSafeInteger(offer.fence) || offer.fence < 1) {
      throw new RangeError(
        `the fence of an offer must be a whole number from 1, got ${offer.fence}`,
      )
    }
    return this.#take(offer.key, value, offer.fence, timeoutMs, signal)
  }

  /** @param fence - the revision at which the key was last written; 0 for a key nobody holds */
  #take(
    name: string,
    value: string,
    fence: number,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ClaimOutcome> {
    checkName(name)
    checkValue(value)
    const key = claimKey(this.#options.cluster, name)
    const { clock } = this.#options
    const work = this.#exclusive(key, () =>
      fence === 0
        ? this.#claim(key, name, value, timeoutMs)
        : this.#accept(key, name, value, fence, timeoutMs),
    )
    return withDeadline(work, {
      clock,
      timeoutMs,
      signal,
      onTimeout: () =>
        new DiscoveryError('DISCOVERY_UNAVAILABLE', `${name} not claimed within ${timeoutMs} ms`, {
          executed: 'maybe',
        }),
    }).catch((error: unknown) => {
      // Nobody is there to hold it any more; what this cannot undo is swept later.
      const undo = async () => {
        const outcome = await work
        if (outcome.claimed) await outcome.claim.release()
      }
      undo().catch(() => {})
      throw error
    })
  }

  async holder(
    name: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ClaimHolder | undefined> {
    const { backend, cluster } = this.#options
    const key = claimKey(cluster, name)
    const options = signal ? { timeoutMs, signal } : { timeoutMs }
    const { entries } = await backend.range({ key }, options)
    const entry = entries[0]
    return entry && { key: name, value: entry.value, fence: entry.modRevision }
  }

  /** Every claim is lost. Those that may still stand in the store are removed once the lease is back. */
  loseAll(reason: DiscoveryError): void {
    const lost = [...this.#held]
    this.#held.clear()
    for (const [key, claim] of lost) this.#options.sweeper.add(key, claim.fence)
    for (const [, claim] of lost) claim.lose(reason)
  }

  /** What may be claimed now or be on its way there; the audit leaves it alone. */
  mayHold(key: string): boolean {
    return this.#held.has(key) || this.#busy.has(key) || this.#standing.has(key)
  }

  /** This node stands in a line with the key: the audit leaves it alone. */
  stand(key: string, isStanding: boolean): void {
    if (isStanding) this.#standing.add(key)
    else this.#standing.delete(key)
  }

  /** The claims held now: key in the store and fence. */
  held(): readonly (readonly [string, number])[] {
    return [...this.#held].map(([key, claim]) => [key, claim.fence])
  }

  /** The store does not have this claim: somebody deleted or replaced it. */
  lose(key: string, fence: number): void {
    const claim = this.#held.get(key)
    if (claim?.fence !== fence) return
    this.#held.delete(key)
    const message = `${claim.key} was taken away in the store`
    claim.lose(new DiscoveryError('DISCOVERY_CLAIM_LOST', message))
  }

  async #claim(key: string, name: string, value: string, timeoutMs: number): Promise<ClaimOutcome> {
    const { session, sweeper } = this.#options
    for (;;) {
      const lease = session.held
      const { tenure } = session
      if (lease === undefined) throw noLease(name)
      await this.#clear(key, name)
      const result = await this.#create(key, value, lease, timeoutMs)
      if (result.succeeded) {
        const isHeld = session.tenure === tenure && session.held === lease
        if (!isHeld) {
          sweeper.add(key, result.revision)
          throw noLease(name)
        }
        return { claimed: true, claim: this.hold(key, name, value, result.revision) }
      }
      const entry = result.entries[0]
      // It went between the comparison's failure and now only if the store says so: try again.
      if (!entry) continue
      const isLeftOver = entry.lease === lease && !this.#held.has(key)
      if (!isLeftOver) {
        return {
          claimed: false,
          holder: { key: name, value: entry.value, fence: entry.modRevision },
        }
      }
      sweeper.add(key, entry.modRevision)
    }
  }

  async #accept(
    key: string,
    name: string,
    value: string,
    fence: number,
    timeoutMs: number,
  ): Promise<ClaimOutcome> {
    const { session, sweeper } = this.#options
    const lease = session.held
    const { tenure } = session
    if (lease === undefined) throw noLease(name)
    await this.#clear(key, name)
    const result = await this.#put(key, value, lease, fence, timeoutMs)
    if (!result.succeeded) {
      const entry = result.entries[0]
      if (!entry) {
        const message = `the offer of ${name} is over: nobody holds it any more`
        throw new DiscoveryError('DISCOVERY_CLAIM_LOST', message)
      }
      return {
        claimed: false,
        holder: { key: name, value: entry.value, fence: entry.modRevision },
      }
    }
    // It was offered by this very process.
    this.#held.get(key)?.end()
    this.#held.delete(key)
    if (session.tenure !== tenure || session.held !== lease) {
      sweeper.add(key, result.revision)
      throw noLease(name)
    }
    return { claimed: true, claim: this.hold(key, name, value, result.revision) }
  }

  /** What an earlier try may have left must be gone first, or it would be swept when it is wanted. */
  async #clear(key: string, name: string): Promise<void> {
    const { sweeper } = this.#options
    if (!sweeper.has(key)) return
    await sweeper.sweep(key)
    if (sweeper.has(key)) throw noLease(name)
  }

  /** Writes an offered key again, which makes the offer void. */
  async #renew(key: string, claim: HeldClaim): Promise<number | undefined> {
    const { session, sweeper, callTimeoutMs } = this.#options
    return this.#exclusive(key, async () => {
      const lease = session.held
      if (this.#held.get(key) !== claim) return undefined
      if (lease === undefined) throw noLease(claim.key)
      const fence = await this.#rewrite(key, claim, lease, callTimeoutMs)
      const isStillOurs = this.#held.get(key) === claim
      if (fence === undefined && isStillOurs) this.#held.delete(key)
      if (fence !== undefined && !isStillOurs) sweeper.add(key, fence)
      return isStillOurs ? fence : undefined
    })
  }

  async #rewrite(
    key: string,
    claim: HeldClaim,
    lease: LeaseId,
    timeoutMs: number,
  ): Promise<number | undefined> {
    const { backend } = this.#options
    const result = await backend.transact(
      {
        when: [
          { key, modRevision: claim.fence },
          { key, lease },
        ],
        then: [{ kind: 'put', key, value: claim.value, lease }],
        otherwiseRead: [key],
      },
      { timeoutMs },
    )
    if (result.succeeded) return result.revision
    // An earlier try whose answer was lost may have done it: nobody else writes under our lease.
    const entry = result.entries[0]
    return entry?.lease === lease ? entry.modRevision : undefined
  }

  #create(
    key: string,
    value: string,
    lease: LeaseId,
    timeoutMs: number,
  ): Promise<TransactionResult> {
    return this.#put(key, value, lease, 0, timeoutMs)
  }

  async #put(
    key: string,
    value: string,
    lease: LeaseId,
    modRevision: number,
    timeoutMs: number,
  ): Promise<TransactionResult> {
    const { backend, session, sweeper } = this.#options
    try {
      return await backend.transact(
        {
          when: [{ key, modRevision }],
          then: [{ kind: 'put', key, value, lease }],
          otherwiseRead: [key],
        },
        { timeoutMs },
      )
    } catch (error) {
      if (error instanceof DiscoveryError) {
        if (error.code === 'DISCOVERY_LEASE_LOST') session.reportGone(lease)
        if (error.executed === 'maybe') sweeper.add(key)
      }
      throw error
    }
  }

  /** The key stands under the lease that is held: it is ours from now on. */
  hold(key: string, name: string, value: string, fence: number): HeldClaim {
    const { session } = this.#options
    const claim = new HeldClaim({
      key: name,
      value,
      fence,
      heldUntil: () => session.heldUntil,
      release: (last) => this.#release(key, last),
      renew: (offered) => this.#renew(key, offered),
    })
    this.#held.set(key, claim)
    return claim
  }

  async #release(key: string, fence: number): Promise<void> {
    const { sweeper } = this.#options
    this.#held.delete(key)
    sweeper.add(key, fence)
    await this.#exclusive(key, () => sweeper.sweep(key))
  }

  async #exclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    while (this.#busy.has(key)) await this.#busy.get(key)
    const done = work()
    const settled = done.then(
      () => {},
      () => {},
    )
    this.#busy.set(key, settled)
    try {
      return await done
    } finally {
      if (this.#busy.get(key) === settled) this.#busy.delete(key)
    }
  }
}

const noLease = (name: string): DiscoveryError =>
  new DiscoveryError('DISCOVERY_LEASE_LOST', `${name} cannot be claimed: no lease is held now`)

export const checkName = (name: string): void => checkLength('key', name, 1, MAX_KEY_LENGTH)

export const checkValue = (value: string): void => checkLength('value', value, 0, MAX_VALUE_LENGTH)

function checkLength(field: string, text: string, min: number, max: number): void {
  if (typeof text !== 'string' || text.length < min || text.length > max) {
    throw new RangeError(`the ${field} of a claim must be ${min} to ${max} characters long`)
  }
}
