import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import type { Random } from './random.ts'

export interface EtcdBackendOptions {
  /** The members: `http://10.0.0.1:2379`, or `https://` with TLS; one or several, all of one kind. */
  readonly hosts: string | readonly string[]
  readonly auth?: { readonly username: string; readonly password: string }
  /** Certificates in PEM, for `https://` hosts. @defaultValue the system's roots, no client certificate */
  readonly tls?: EtcdTlsOptions
  /** Milliseconds a request may take where the caller names no time. From 1. @defaultValue 3000 */
  readonly callTimeoutMs?: number
  /** Milliseconds between pings on a connection; etcd hangs up on who pings faster than 5000. @defaultValue 5000 */
  readonly pingIntervalMs?: number
  /** Milliseconds until an unanswered ping ends the connection. From 1. @defaultValue 2000 */
  readonly pingTimeoutMs?: number
  /** Milliseconds of silence after which a watch asks etcd for a sign of life. From 100. @defaultValue 10000 */
  readonly watchIdleMs?: number
  /** Largest answer taken, in bytes. @defaultValue 67108864 */
  readonly maxMessageBytes?: number
  /** @defaultValue the machine's clock; it has to be a real one */
  readonly clock?: Clock
  /** @defaultValue the system's randomness */
  readonly random?: Random
  /** @defaultValue silent */
  readonly logger?: Logger
}

export interface EtcdTlsOptions {
  readonly rootCertificate: Uint8Array
  readonly privateKey?: Uint8Array
  readonly certificateChain?: Uint8Array
}
