import type { LeaseId } from './backend.ts'

/**
 * Tells from the time left on a lease whether somebody renews it. One renewal proves nothing: an etcd that
 * restarts or changes its leader gives every lease its whole time again. Two do.
 */
export class Rival {
  readonly lease: LeaseId
  /** Unless it is renewed, the lease is over by then. */
  #endsBy: number | undefined
  #renewals = 0

  constructor(lease: LeaseId) {
    this.lease = lease
  }

  get isAlive(): boolean {
    return this.#renewals >= 2
  }

  /** @param ttlSeconds - whole seconds left, rounded down, at some time from `sentAt` to `receivedAt` */
  observe(ttlSeconds: number, sentAt: number, receivedAt: number): void {
    if (ttlSeconds <= 0) return
    const endsNotBefore = sentAt + ttlSeconds * 1000
    if (this.#endsBy !== undefined && endsNotBefore <= this.#endsBy) return
    if (this.#endsBy !== undefined) this.#renewals++
    this.#endsBy = receivedAt + (ttlSeconds + 1) * 1000
  }
}
