import { DiscoveryError } from './errors.ts'
import { nodeKey } from './keys.ts'
import type { NodeRecord } from './node-record.ts'
import { NodeRegistration, type NodeRegistrationOptions } from './registration.ts'

type Given = 'key' | 'record' | 'onLeaving' | 'after' | 'onRegistered' | 'onDuplicate'

export interface RegistrationsOptions extends Omit<NodeRegistrationOptions, Given> {
  readonly cluster: string
  readonly onRegistered: (record: NodeRecord) => void
  readonly onDuplicate: (error: DiscoveryError, record: NodeRecord) => void
}

/** The nodes this process has entered, and those on their way out. */
export class Registrations {
  readonly #options: RegistrationsOptions
  /** By the key in the store. */
  readonly #entered = new Map<string, NodeRegistration>()
  readonly #leaving = new Map<string, Promise<void>>()
  #written = 0

  constructor(options: RegistrationsOptions) {
    this.#options = options
  }

  /** How often a record was written or confirmed. */
  get written(): number {
    return this.#written
  }

  /** How often the store was told a load, of those that are entered now. */
  get loadWrites(): number {
    return this.all().reduce((sum, { loadWrites }) => sum + loadWrites, 0)
  }

  all(): readonly NodeRegistration[] {
    return [...this.#entered.values()]
  }

  has(key: string): boolean {
    return this.#entered.has(key)
  }

  /** Enters a node, behind an earlier entry of the same id that is leaving. */
  async enter(record: NodeRecord, signal: AbortSignal | undefined): Promise<NodeRegistration> {
    const { cluster, logger, onRegistered, onDuplicate } = this.#options
    const key = nodeKey(cluster, record.role, record.id)
    if (this.#entered.has(key)) {
      const message = `${record.role}/${record.id} is registered in this process already`
      throw new DiscoveryError('DISCOVERY_DUPLICATE_ID', message)
    }
    const registration = new NodeRegistration({
      ...this.#options,
      key,
      record,
      after: this.#leaving.get(key),
      onRegistered: (written) => {
        this.#written++
        onRegistered(written)
      },
      onDuplicate: (error, duplicate) => {
        logger.error('duplicate node id', { key, error })
        onDuplicate(error, duplicate)
      },
      onLeaving: (left) => this.#onLeaving(key, left),
    })
    this.#entered.set(key, registration)
    await registration.enter(signal)
    return registration
  }

  #onLeaving(key: string, leaving: Promise<void>): void {
    this.#entered.delete(key)
    const left = leaving
      .catch(() => {})
      .then(() => {
        if (this.#leaving.get(key) === left) this.#leaving.delete(key)
      })
    this.#leaving.set(key, left)
  }
}
