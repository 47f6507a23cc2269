import {
  NO_LEASE,
  type Compare,
  type KeyRange,
  type KeyValue,
  type LeaseGrant,
  type LeaseId,
  type LeaseStatus,
  type RangeResult,
  type Transaction,
  type TransactionResult,
  type WatchEvent,
} from './backend.ts'

/** What happened at one revision. */
export interface Commit {
  readonly revision: number
  readonly events: readonly WatchEvent[]
}

interface LeaseEntry {
  readonly ttlSeconds: number
  expiresAt: number
  readonly keys: Set<string>
}

/** Older history is compacted away by itself, as an operator's etcd does. */
const MAX_HISTORY = 10_000

export const inRange = (range: KeyRange, key: string): boolean =>
  'key' in range ? key === range.key : key.startsWith(range.prefix)

/**
 * A key-value store that behaves as etcd does: one revision for all keys, transactions, leases, history.
 * It is told the time and never reads it.
 */
export class KvStore {
  #revision: number
  #compacted: number
  #nextLease = 1
  readonly #entries = new Map<string, KeyValue>()
  readonly #leases = new Map<LeaseId, LeaseEntry>()
  /** The entries at the revision up to which the history is forgotten. */
  readonly #base = new Map<string, KeyValue>()
  #history: Commit[] = []

  /** @param revision - Where the counting begins, from 1. */
  constructor(revision = 1) {
    this.#revision = revision
    this.#compacted = revision - 1
  }

  get revision(): number {
    return this.#revision
  }

  range(range: KeyRange): RangeResult {
    const entries = [...this.#entries.values()].filter((entry) => inRange(range, entry.key))
    entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    return { revision: this.#revision, entries }
  }

  /** @returns `undefined` for nothing, a forgotten past or the future */
  entryAt(key: string, revision: number): KeyValue | undefined {
    if (revision < this.#compacted || revision > this.#revision) return undefined
    let entry = this.#base.get(key)
    for (const commit of this.#history) {
      if (commit.revision > revision) break
      for (const event of commit.events) {
        if (event.kind === 'put' && event.entry.key === key) entry = event.entry
        else if (event.kind === 'delete' && event.key === key) entry = undefined
      }
    }
    return entry
  }

  /** @returns `undefined` when an operation names a lease that is gone; nothing is done then. */
  transact(transaction: Transaction): { result: TransactionResult; commit?: Commit } | undefined {
    if (!transaction.when.every((compare) => this.#holds(compare))) {
      const entries = (transaction.otherwiseRead ?? []).flatMap(
        (key) => this.#entries.get(key) ?? [],
      )
      return { result: { succeeded: false, revision: this.#revision, entries } }
    }
    for (const operation of transaction.then) {
      if (operation.kind === 'put' && (operation.lease ?? NO_LEASE) !== NO_LEASE) {
        if (!this.#leases.has(operation.lease ?? NO_LEASE)) return undefined
      }
    }
    const commit = this.#commit((revision) =>
      transaction.then.flatMap((operation) =>
        operation.kind === 'put'
          ? this.#put(operation.key, operation.value, operation.lease ?? NO_LEASE, revision)
          : this.#delete(operation.key, revision),
      ),
    )
    const result = { succeeded: true, revision: this.#revision, entries: [] }
    return commit ? { result, commit } : { result }
  }

  grantLease(ttlSeconds: number, now: number): LeaseGrant {
    const id = String(this.#nextLease++)
    this.#leases.set(id, { ttlSeconds, expiresAt: now + ttlSeconds * 1000, keys: new Set() })
    return { id, ttlSeconds }
  }

  /** @returns the seconds the lease now has, 0 when it is gone */
  keepAlive(id: LeaseId, now: number): number {
    const lease = this.#leases.get(id)
    if (!lease) return 0
    lease.expiresAt = now + lease.ttlSeconds * 1000
    return lease.ttlSeconds
  }

  leaseStatus(id: LeaseId, now: number): LeaseStatus {
    const lease = this.#leases.get(id)
    if (!lease) return { ttlSeconds: -1, keys: [] }
    return { ttlSeconds: Math.floor((lease.expiresAt - now) / 1000), keys: [...lease.keys].sort() }
  }

  leaseEndsAt(id: LeaseId): number {
    return this.#leases.get(id)?.expiresAt ?? -Infinity
  }

  /** Ends a lease now; its keys go at one revision. */
  revokeLease(id: LeaseId): Commit | undefined {
    const lease = this.#leases.get(id)
    if (!lease) return undefined
    this.#leases.delete(id)
    return this.#commit((revision) =>
      [...lease.keys].sort().flatMap((key) => this.#delete(key, revision)),
    )
  }

  /** When the next lease ends; `Infinity` without any. */
  nextExpiry(): number {
    let next = Infinity
    for (const lease of this.#leases.values()) next = Math.min(next, lease.expiresAt)
    return next
  }

  expireLeases(now: number): Commit[] {
    const due = [...this.#leases].filter(([, lease]) => lease.expiresAt <= now)
    due.sort(([, a], [, b]) => a.expiresAt - b.expiresAt)
    return due.flatMap(([id]) => this.revokeLease(id) ?? [])
  }

  /** What etcd does when it starts again: every lease has its whole time once more. */
  refreshLeases(now: number): void {
    for (const lease of this.#leases.values()) lease.expiresAt = now + lease.ttlSeconds * 1000
  }

  /** Every commit from `revision` on; `undefined` when the history does not reach back that far. */
  since(revision: number): readonly Commit[] | undefined {
    // A revision from the future belongs to another store: one that was replaced by this one.
    if (revision <= this.#compacted || revision > this.#revision + 1) return undefined
    return this.#history.filter((commit) => commit.revision >= revision)
  }

  /** Forgets the history up to and including `revision`. */
  compact(revision: number): void {
    this.#compacted = Math.max(this.#compacted, Math.min(revision, this.#revision))
    while (this.#history.length > 0 && this.#history[0]!.revision <= this.#compacted) {
      for (const event of this.#history.shift()!.events) {
        if (event.kind === 'put') this.#base.set(event.entry.key, event.entry)
        else this.#base.delete(event.key)
      }
    }
  }

  #holds(compare: Compare): boolean {
    const entry = this.#entries.get(compare.key)
    if ('createRevision' in compare) return (entry?.createRevision ?? 0) === compare.createRevision
    if ('modRevision' in compare) return (entry?.modRevision ?? 0) === compare.modRevision
    return (entry?.lease ?? NO_LEASE) === compare.lease
  }

  #commit(change: (revision: number) => WatchEvent[]): Commit | undefined {
    const revision = this.#revision + 1
    const events = change(revision)
    if (events.length === 0) return undefined
    this.#revision = revision
    const commit = { revision, events }
    this.#history.push(commit)
    if (this.#history.length > MAX_HISTORY) this.compact(this.#history[MAX_HISTORY / 10]!.revision)
    return commit
  }

  #put(key: string, value: string, lease: LeaseId, revision: number): WatchEvent[] {
    const before = this.#entries.get(key)
    if (before) this.#leases.get(before.lease)?.keys.delete(key)
    this.#leases.get(lease)?.keys.add(key)
    const createRevision = before?.createRevision ?? revision
    const entry: KeyValue = { key, value, createRevision, modRevision: revision, lease }
    this.#entries.set(key, entry)
    return [{ kind: 'put', entry }]
  }

  #delete(key: string, revision: number): WatchEvent[] {
    const before = this.#entries.get(key)
    if (!before) return []
    this.#entries.delete(key)
    this.#leases.get(before.lease)?.keys.delete(key)
    return [{ kind: 'delete', key, modRevision: revision }]
  }
}
