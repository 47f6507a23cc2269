/** A lease's name at its backend: a decimal number in a string; `'0'` is no lease. */
export type LeaseId = string

export const NO_LEASE: LeaseId = '0'

export interface CallOptions {
  /** Milliseconds until the call fails with `DISCOVERY_UNAVAILABLE`. @defaultValue 3000 */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface KeyValue {
  readonly key: string
  readonly value: string
  /** The store's revision at which the key came into being; grows for ever, so it serves as a fence. */
  readonly createRevision: number
  /** The store's revision at which the key was last written. */
  readonly modRevision: number
  readonly lease: LeaseId
}

/** One key, or every key that begins with a prefix. */
export type KeyRange = { readonly key: string } | { readonly prefix: string }

export interface RangeResult {
  /** The store's revision that the entries show. */
  readonly revision: number
  /** In the order of their keys. */
  readonly entries: readonly KeyValue[]
}

/** A condition on one key. A key that is not there has revisions 0 and lease `'0'`. */
export type Compare =
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly lease: LeaseId }

export type Operation =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: string
      /** @defaultValue '0' */
      readonly lease?: LeaseId
    }
  | { readonly kind: 'delete'; readonly key: string }

/** All conditions hold: every operation of `then` is done at one revision; else none is. */
export interface Transaction {
  readonly when: readonly Compare[]
  readonly then: readonly Operation[]
  /** Keys to read in the same step when a condition fails. */
  readonly otherwiseRead?: readonly string[]
}

export interface TransactionResult {
  readonly succeeded: boolean
  readonly revision: number
  /** What stood under `otherwiseRead`; empty after success. */
  readonly entries: readonly KeyValue[]
}

export interface LeaseGrant {
  readonly id: LeaseId
  /** What the backend granted; it may be more than was asked. */
  readonly ttlSeconds: number
}

export interface LeaseStatus {
  /** Whole seconds left, rounded down; 0 or less when the lease is gone or about to go. */
  readonly ttlSeconds: number
  /** The keys that end with it. */
  readonly keys: readonly string[]
}

export type WatchEvent =
  | { readonly kind: 'put'; readonly entry: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: number }

export type WatchEnd =
  /** The link broke: nothing is lost, go on from the last delivered revision. */
  | { readonly kind: 'disconnected'; readonly cause?: unknown }
  /** The history asked for is gone or is not this store's: list again. */
  | { readonly kind: 'compacted'; readonly cause?: unknown }

export interface WatchHandlers {
  /** The backend has accepted the watch; every later change will arrive. */
  onStart(): void
  /** Changes in order; those of one revision come together. */
  onEvents(events: readonly WatchEvent[]): void
  /** Exactly once unless closed first; nothing follows. */
  onEnd(end: WatchEnd): void
}

export interface WatchHandle {
  /** No handler is called any more. */
  close(): void
}

/**
 * The store behind a registry: a small, etcd-shaped port. Every call ends within its time with a value or
 * a `DiscoveryError`; none retries by itself.
 */
export interface Backend {
  /** For messages: `etcd`, `memory`, `static`. */
  readonly name: string
  /** False where other processes do not see what is written here: claims are refused. */
  readonly isShared: boolean
  /** A registry begins to use it. Does no I/O. */
  open(): void
  /** A registry is done with it; the last one lets go of sockets. */
  close(): Promise<void>
  range(range: KeyRange, options?: CallOptions): Promise<RangeResult>
  /** What stood under a key at a revision; `undefined` also where the store no longer or not yet knows. */
  entryAt(key: string, revision: number, options?: CallOptions): Promise<KeyValue | undefined>
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>
  grantLease(ttlSeconds: number, options?: CallOptions): Promise<LeaseGrant>
  /** Renews; gives the seconds from when it was received, 0 when the lease is gone. */
  keepAlive(lease: LeaseId, options?: CallOptions): Promise<number>
  leaseStatus(lease: LeaseId, options?: CallOptions): Promise<LeaseStatus>
  /** Ends the lease and its keys; a lease that is gone already is no error. */
  revokeLease(lease: LeaseId, options?: CallOptions): Promise<void>
  /** Every change in `range` from `fromRevision` on. Returns at once; errors arrive in `onEnd`. */
  watch(range: KeyRange, fromRevision: number, handlers: WatchHandlers): WatchHandle
}
