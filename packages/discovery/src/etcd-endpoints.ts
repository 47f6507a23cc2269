import type { Etcd3, IOptions } from 'etcd3'
import type { Clock } from './clock.ts'
import { isTokenError } from './etcd-errors.ts'
import { loadEtcd3 } from './etcd-module.ts'
import { unitFrom, type Random } from './random.ts'

export interface EtcdEndpointsOptions {
  readonly hosts: readonly string[]
  readonly auth: { readonly username: string; readonly password: string } | undefined
  readonly credentials: IOptions['credentials'] | undefined
  readonly callTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  readonly maxMessageBytes: number
  readonly clock: Clock
  readonly random: Random
}

/** etcd3 retries and breaks circuits by itself, which hides what happened; here every failure is heard. */
const hearEveryFailure = {
  execute: async (work: (context: { signal: AbortSignal; attempt: number }) => unknown) =>
    work({ signal: new AbortController().signal, attempt: 0 }),
}

type Call = { start(metadata: Metadata, listener: unknown): void }
type Metadata = { set(key: string, value: string): void }
type NextCall = (options: unknown) => Call

/**
 * Makes connections to the members, one member at a time: the next one after a failure. Every client is its
 * own connection, so that what goes wrong on one does not hold up another. Knows the login token.
 */
export class EtcdEndpoints {
  readonly #options: EtcdEndpointsOptions
  #index: number
  #token: Promise<string> | undefined
  #tokenText: string | undefined

  constructor(options: EtcdEndpointsOptions) {
    this.#options = options
    this.#index = Math.floor(unitFrom(options.random) * options.hosts.length)
  }

  get count(): number {
    return this.#options.hosts.length
  }

  /** A new connection to the current member, logged in. Close it. */
  async connect(): Promise<Etcd3> {
    await this.#login()
    return this.#client(true)
  }

  /** The current member failed: the next connection goes to the next one, with a new login. */
  rotate(): void {
    this.#index = (this.#index + 1) % this.#options.hosts.length
    this.forgetToken()
  }

  /** The token was refused or may have been. */
  forgetToken(): void {
    this.#token = undefined
  }

  /** Does `work`, once more with a new token when the old one had run out. */
  async withToken<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!this.#options.auth || !isTokenError(error)) throw error
      this.forgetToken()
      await this.#login()
      return work()
    }
  }

  /** When a call that may take `timeoutMs` is over, as gRPC wants it. */
  deadline(timeoutMs: number): { deadline: number } {
    return { deadline: this.#options.clock.wall() + timeoutMs }
  }

  async #login(): Promise<void> {
    const { auth, callTimeoutMs } = this.#options
    if (!auth) return
    this.#token ??= (async () => {
      const client = await this.#client(false)
      try {
        const request = { name: auth.username, password: auth.password }
        const { token } = await client.auth.authenticate(request, this.deadline(callTimeoutMs))
        return token
      } finally {
        client.close()
      }
    })()
    const token = this.#token
    try {
      this.#tokenText = await token
    } catch (error) {
      if (this.#token === token) this.#token = undefined
      throw error
    }
  }

  async #client(isLoggedIn: boolean): Promise<Etcd3> {
    const { hosts, auth, credentials, pingIntervalMs, pingTimeoutMs, maxMessageBytes } =
      this.#options
    const { Etcd3 } = await loadEtcd3()
    const options: IOptions = {
      hosts: hosts[this.#index]!,
      grpcOptions: {
        'grpc.keepalive_time_ms': pingIntervalMs,
        'grpc.keepalive_timeout_ms': pingTimeoutMs,
        // etcd hangs up on who pings without a call. A dead idle connection shows at its next call's deadline.
        'grpc.keepalive_permit_without_calls': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 500,
        // Without it clients would share one connection, and its backoff.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_http_proxy': 0,
        'grpc.max_receive_message_length': maxMessageBytes,
      },
      faultHandling: {
        host: () => hearEveryFailure,
        global: hearEveryFailure,
      } as unknown as NonNullable<IOptions['faultHandling']>,
    }
    if (credentials) options.credentials = credentials
    if (auth && isLoggedIn) {
      const withToken = (callOptions: unknown, nextCall: NextCall): Call => {
        const call = nextCall(callOptions)
        const start = call.start.bind(call)
        call.start = (metadata, listener) => {
          if (this.#tokenText !== undefined) metadata.set('token', this.#tokenText)
          start(metadata, listener)
        }
        return call
      }
      options.defaultCallOptions = { interceptors: [withToken] } as unknown as NonNullable<
        IOptions['defaultCallOptions']
      >
    }
    return new Etcd3(options)
  }
}
