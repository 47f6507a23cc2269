import type {
  Backend,
  KeyRange,
  KeyValue,
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  RangeResult,
  Transaction,
  TransactionResult,
  WatchHandle,
  WatchHandlers,
} from './backend.ts'
import type { Clock } from './clock.ts'
import { nodeKey } from './keys.ts'
import { MemoryBackend } from './memory-backend.ts'
import { encodeRecord, makeRecord, type NodeInit } from './node-record.ts'

export interface StaticBackendOptions {
  /** The cluster of the registry that uses it. @defaultValue 'default' */
  readonly cluster?: string
  /** @defaultValue the machine's clock */
  readonly clock?: Clock
}

/**
 * A fixed list of nodes from a configuration file. They are there for ever; what a process registers only it
 * sees itself, and nothing can be claimed.
 */
export class StaticBackend implements Backend {
  readonly name = 'static'
  readonly isShared = false
  readonly #memory: MemoryBackend

  /** @throws RangeError when an entry is not a node */
  constructor(nodes: readonly NodeInit[], options: StaticBackendOptions = {}) {
    const { cluster = 'default', clock } = options
    this.#memory = new MemoryBackend(clock ? { clock } : {})
    const puts = nodes.map((node) => {
      const record = makeRecord(node, 'static')
      const key = nodeKey(cluster, record.role, record.id)
      return { kind: 'put', key, value: encodeRecord(record) } as const
    })
    const twice = puts.find((put, i) => puts.findIndex(({ key }) => key === put.key) !== i)
    if (twice) throw new RangeError(`two nodes stand under ${twice.key}`)
    // The store is in this process and takes the write before it returns.
    void this.#memory.transact({ when: [], then: puts })
  }

  open(): void {}

  close(): Promise<void> {
    return Promise.resolve()
  }

  range(range: KeyRange): Promise<RangeResult> {
    return this.#memory.range(range)
  }

  entryAt(key: string, revision: number): Promise<KeyValue | undefined> {
    return this.#memory.entryAt(key, revision)
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    return this.#memory.transact(transaction)
  }

  grantLease(ttlSeconds: number): Promise<LeaseGrant> {
    return this.#memory.grantLease(ttlSeconds)
  }

  keepAlive(lease: LeaseId): Promise<number> {
    return this.#memory.keepAlive(lease)
  }

  leaseStatus(lease: LeaseId): Promise<LeaseStatus> {
    return this.#memory.leaseStatus(lease)
  }

  revokeLease(lease: LeaseId): Promise<void> {
    return this.#memory.revokeLease(lease)
  }

  watch(range: KeyRange, fromRevision: number, handlers: WatchHandlers): WatchHandle {
    return this.#memory.watch(range, fromRevision, handlers)
  }
}
