import type { Backend, LeaseId } from './backend.ts'
import type { Claims } from './claims.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import type { Registrations } from './registrations.ts'
import type { Sweeper } from './sweeper.ts'

export interface LeaseAuditOptions {
  readonly backend: Backend
  readonly sweeper: Sweeper
  readonly claims: Claims
  /** By key. */
  readonly registrations: Registrations
  readonly intervalMs: number
  readonly callTimeoutMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Compares, now and then, what the backend binds to the lease with what this node wants there. A claim that
 * somebody deleted is lost, a node's entry is put back, a key from a write that came late is removed.
 */
export class LeaseAudit {
  readonly #options: LeaseAuditOptions
  #nextAt = 0
  #isRunning = false

  constructor(options: LeaseAuditOptions) {
    this.#options = options
  }

  /** The lease was just acknowledged: looks if it is time. */
  look(lease: LeaseId): void {
    const { clock, intervalMs, logger } = this.#options
    if (this.#isRunning || clock.now() < this.#nextAt) return
    this.#nextAt = clock.now() + intervalMs
    this.#isRunning = true
    this.#compare(lease)
      .catch((error: unknown) => logger.debug('audit of the lease failed', { error }))
      .finally(() => (this.#isRunning = false))
  }

  async #compare(lease: LeaseId): Promise<void> {
    const { backend, claims, registrations, sweeper, callTimeoutMs, logger } = this.#options
    const held = claims.held()
    const registered = registrations.all().filter((entry) => entry.isRegistered)
    const { ttlSeconds, keys } = await backend.leaseStatus(lease, { timeoutMs: callTimeoutMs })
    if (ttlSeconds <= 0) return
    const bound = new Set(keys)
    for (const registration of registered) {
      if (!bound.has(registration.key)) registration.kick()
    }
    for (const [key, fence] of held) {
      if (bound.has(key)) continue
      // The status may come from a member that lags behind; a read does not.
      const { entries } = await backend.range({ key }, { timeoutMs: callTimeoutMs })
      if (entries[0]?.modRevision !== fence) claims.lose(key, fence)
    }
    for (const key of keys) {
      if (claims.mayHold(key) || registrations.has(key) || sweeper.has(key)) continue
      logger.warn('a key nobody here wants stands under the lease, removing it', { key })
      sweeper.add(key)
    }
  }
}
