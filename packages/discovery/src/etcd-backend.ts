import type { Etcd3 } from 'etcd3'
import type {
  Backend,
  CallOptions,
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
import { inBackground, systemClock, type Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { DiscoveryError } from './errors.ts'
import { fromKeyValue, toCompare, toRange, toRequest } from './etcd-codec.ts'
import { EtcdEndpoints } from './etcd-endpoints.ts'
import { isRevisionError, toDiscoveryError } from './etcd-errors.ts'
import { EtcdKeepAlive } from './etcd-keep-alive.ts'
import type { EtcdBackendOptions } from './etcd-options.ts'
import { EtcdWatch } from './etcd-watch.ts'
import { checkNumber } from './options.ts'
import { systemRandom } from './random.ts'

/** What a call is given: the client and the options that bound it. */
type Work<T> = (client: Etcd3, deadline: { deadline: number }) => Promise<T>

/**
 * etcd 3.4 and newer, by the raw calls of the `etcd3` client: none of its leases, watchers, retries and
 * circuit breakers, which lose events, report a lost lease late and hide failures. Requests, keepalives and
 * each watch have connections of their own.
 */
export class EtcdBackend implements Backend {
  readonly name = 'etcd'
  readonly isShared = true
  readonly #clock: Clock
  readonly #endpoints: EtcdEndpoints
  readonly #callTimeoutMs: number
  readonly #watchIdleMs: number
  readonly #watches = new Set<EtcdWatch>()
  #client: Promise<Etcd3> | undefined
  #keepAlive: EtcdKeepAlive | undefined
  #users = 0

  constructor(options: EtcdBackendOptions) {
    const hosts = [options.hosts].flat().map((host) => host.replace(/\/+$/, ''))
    if (hosts.length === 0 || !hosts.every((host) => /^https?:\/\/[^/]+$/.test(host))) {
      throw new RangeError(`hosts must be URLs such as http://127.0.0.1:2379, got ${hosts}`)
    }
    if (new Set(hosts.map((host) => host.startsWith('https:'))).size > 1) {
      throw new RangeError(`hosts must be all http or all https, got ${hosts}`)
    }
    const { tls, auth, clock = systemClock, random = systemRandom } = options
    this.#clock = clock
    this.#callTimeoutMs = checkNumber('callTimeoutMs', options.callTimeoutMs ?? 3000, 1)
    this.#watchIdleMs = checkNumber('watchIdleMs', options.watchIdleMs ?? 10_000, 100)
    this.#endpoints = new EtcdEndpoints({
      hosts,
      auth,
      credentials: tls && {
        rootCertificate: Buffer.from(tls.rootCertificate),
        ...(tls.privateKey && { privateKey: Buffer.from(tls.privateKey) }),
        ...(tls.certificateChain && { certChain: Buffer.from(tls.certificateChain) }),
      },
      callTimeoutMs: this.#callTimeoutMs,
      pingIntervalMs: checkNumber('pingIntervalMs', options.pingIntervalMs ?? 5000, 1),
      pingTimeoutMs: checkNumber('pingTimeoutMs', options.pingTimeoutMs ?? 2000, 1),
      maxMessageBytes: checkNumber('maxMessageBytes', options.maxMessageBytes ?? 2 ** 26, 1, true),
      clock,
      random,
    })
  }

  open(): void {
    this.#users++
  }

  async close(): Promise<void> {
    this.#users = Math.max(0, this.#users - 1)
    if (this.#users > 0) return
    const closed = new DiscoveryError('DISCOVERY_STOPPED', 'the etcd backend was closed')
    for (const watch of [...this.#watches]) watch.disconnect(closed)
    this.#keepAlive?.close(closed)
    this.#keepAlive = undefined
    const client = this.#client
    this.#client = undefined
    await client?.then(
      (open) => open.close(),
      () => {},
    )
  }

  async range(range: KeyRange, options?: CallOptions): Promise<RangeResult> {
    const request = toRange(range)
    const response = await this.#call(options, (client, deadline) =>
      client.kv.range(request, deadline),
    )
    return {
      revision: Number(response.header.revision),
      entries: response.kvs.map(fromKeyValue),
    }
  }

  async entryAt(
    key: string,
    revision: number,
    options?: CallOptions,
  ): Promise<KeyValue | undefined> {
    const request = { ...toRange({ key }), revision }
    try {
      const response = await this.#call(options, (client, deadline) =>
        client.kv.range(request, deadline),
      )
      return response.kvs.map(fromKeyValue)[0]
    } catch (error) {
      // Compacted, or not reached yet by a store that began anew.
      if (error instanceof Error && isRevisionError(error.cause)) return undefined
      throw error
    }
  }

  async transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    const request = {
      compare: transaction.when.map(toCompare),
      success: transaction.then.map(toRequest),
      failure: (transaction.otherwiseRead ?? []).map((key) => ({
        request_range: { key: Buffer.from(key) },
      })),
    }
    const response = await this.#call(options, (client, deadline) =>
      client.kv.txn(request, deadline),
    )
    return {
      succeeded: response.succeeded,
      revision: Number(response.header.revision),
      entries: response.succeeded
        ? []
        : response.responses.flatMap(({ response_range }) => response_range.kvs.map(fromKeyValue)),
    }
  }

  async grantLease(ttlSeconds: number, options?: CallOptions): Promise<LeaseGrant> {
    const response = await this.#call(options, (client, deadline) =>
      client.leaseClient.leaseGrant({ TTL: ttlSeconds }, deadline),
    )
    return { id: response.ID, ttlSeconds: Number(response.TTL) }
  }

  async keepAlive(lease: LeaseId, options: CallOptions = {}): Promise<number> {
    if (!this.#keepAlive || this.#keepAlive.isClosed) {
      this.#keepAlive = new EtcdKeepAlive(this.#endpoints)
    }
    const keepAlive = this.#keepAlive
    try {
      return await this.#within(options, keepAlive.renew(lease))
    } catch (error) {
      const reason = toDiscoveryError(error)
      this.#endpoints.rotate()
      keepAlive.close(reason)
      throw reason
    }
  }

  async leaseStatus(lease: LeaseId, options?: CallOptions): Promise<LeaseStatus> {
    const response = await this.#call(options, (client, deadline) =>
      client.leaseClient.leaseTimeToLive({ ID: lease, keys: true }, deadline),
    )
    return {
      ttlSeconds: Number(response.TTL),
      keys: response.keys.map((key) => key.toString()),
    }
  }

  async revokeLease(lease: LeaseId, options?: CallOptions): Promise<void> {
    try {
      await this.#call(options, (client, deadline) =>
        client.leaseClient.leaseRevoke({ ID: lease }, deadline),
      )
    } catch (error) {
      if (!(error instanceof DiscoveryError && error.code === 'DISCOVERY_LEASE_LOST')) throw error
    }
  }

  watch(range: KeyRange, fromRevision: number, handlers: WatchHandlers): WatchHandle {
    const watch = new EtcdWatch({
      endpoints: this.#endpoints,
      clock: this.#clock,
      range,
      fromRevision,
      handlers,
      answerMs: this.#callTimeoutMs,
      idleMs: this.#watchIdleMs,
      onOver: (over) => void this.#watches.delete(over),
      onBroken: () => this.#retire(),
    })
    this.#watches.add(watch)
    return watch
  }

  /** One request. A member that cannot be reached is left for the next, within the caller's time. */
  async #call<T>(options: CallOptions = {}, work: Work<T>): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#callTimeoutMs
    const endsAt = this.#clock.now() + timeoutMs
    for (let tries = 1; ; tries++) {
      const leftMs = endsAt - this.#clock.now()
      const connecting = (this.#client ??= this.#endpoints.connect())
      try {
        const run = async () => {
          const client = await connecting
          return this.#endpoints.withToken(() => work(client, this.#endpoints.deadline(leftMs)))
        }
        return await this.#within({ ...options, timeoutMs: leftMs }, run())
      } catch (error) {
        options.signal?.throwIfAborted()
        const reason = toDiscoveryError(error)
        if (reason.code !== 'DISCOVERY_UNAVAILABLE') {
          if (reason.code === 'DISCOVERY_DENIED') this.#drop(connecting)
          throw reason
        }
        if (this.#drop(connecting)) this.#endpoints.rotate()
        const isWorthIt = reason.executed === 'no' && tries <= this.#endpoints.count
        if (!isWorthIt || this.#clock.now() >= endsAt) throw reason
      }
    }
  }

  /** The next request goes over a new connection; those on their way have their time on the old one. */
  #retire(): void {
    const client = this.#client
    if (!client || this.#users === 0) return
    this.#client = undefined
    const close = () => void client.then((open) => open.close()).catch(() => {})
    inBackground(this.#clock).setTimer(this.#callTimeoutMs, close)
  }

  /** @returns whether this was the connection in use */
  #drop(client: Promise<Etcd3>): boolean {
    void client.then(
      (open) => open.close(),
      () => {},
    )
    if (this.#client !== client) return false
    this.#client = undefined
    return true
  }

  #within<T>(options: CallOptions, work: Promise<T>): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#callTimeoutMs
    return withDeadline(work, {
      clock: this.#clock,
      timeoutMs,
      signal: options.signal,
      onTimeout: () =>
        new DiscoveryError('DISCOVERY_UNAVAILABLE', `etcd gave no answer in ${timeoutMs} ms`, {
          executed: 'maybe',
        }),
    })
  }
}
