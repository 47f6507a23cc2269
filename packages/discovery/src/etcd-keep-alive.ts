import type { Etcd3, IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3'
import type { LeaseId } from './backend.ts'
import { DiscoveryError } from './errors.ts'
import type { EtcdEndpoints } from './etcd-endpoints.ts'
import { toDiscoveryError } from './etcd-errors.ts'

type Stream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>

interface Pending {
  readonly resolve: (ttlSeconds: number) => void
  readonly reject: (error: DiscoveryError) => void
}

/**
 * One keepalive stream on a connection of its own. Answers carry only the lease's name, so an answer can be
 * credited to a request only while there is one request: after a timeout the stream must be thrown away.
 */
export class EtcdKeepAlive {
  readonly #endpoints: EtcdEndpoints
  readonly #pending = new Map<LeaseId, Pending>()
  readonly #opened: Promise<{ readonly client: Etcd3; readonly stream: Stream }>
  #closedBy: DiscoveryError | undefined

  constructor(endpoints: EtcdEndpoints) {
    this.#endpoints = endpoints
    this.#opened = this.#open()
    this.#opened.catch((error: unknown) => this.close(toDiscoveryError(error)))
  }

  get isClosed(): boolean {
    return this.#closedBy !== undefined
  }

  renew(lease: LeaseId): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy || this.#pending.has(lease)) {
        const busy = `a keepalive of ${lease} is on its way already`
        reject(this.#closedBy ?? new DiscoveryError('DISCOVERY_UNAVAILABLE', busy))
        return
      }
      this.#pending.set(lease, { resolve, reject })
      void this.#opened.then(
        ({ stream }) => {
          if (!this.#closedBy) stream.write({ ID: lease })
        },
        () => {},
      )
    })
  }

  close(reason: DiscoveryError): void {
    if (this.#closedBy) return
    this.#closedBy = reason
    for (const { reject } of this.#pending.values()) reject(reason)
    this.#pending.clear()
    this.#letGo().catch(() => {})
  }

  async #letGo(): Promise<void> {
    const { client, stream } = await this.#opened
    stream.cancel()
    client.close()
  }

  async #open(): Promise<{ client: Etcd3; stream: Stream }> {
    const client = await this.#endpoints.connect()
    try {
      const stream = await client.leaseClient.leaseKeepAlive()
      stream.on('data', (response) => this.#onResponse(response))
      stream.on('error', (error) => this.close(toDiscoveryError(error)))
      stream.on('end', () => this.close(ended()))
      return { client, stream }
    } catch (error) {
      client.close()
      throw error
    }
  }

  #onResponse(response: ILeaseKeepAliveResponse): void {
    const pending = this.#pending.get(response.ID)
    if (!pending || this.#closedBy) return
    this.#pending.delete(response.ID)
    pending.resolve(Math.max(0, Number(response.TTL)))
  }
}

const ended = (): DiscoveryError =>
  new DiscoveryError('DISCOVERY_UNAVAILABLE', 'etcd ended the keepalive stream', {
    executed: 'maybe',
  })
