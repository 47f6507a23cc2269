import {
  connect,
  listen,
  type KcpListener,
  type KcpListenOptions,
  type KcpSession,
  type KcpSocketOptions,
} from '@rts/kcp'
import { systemClock, type Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import { bufferedBytesFor, messageBytesFor } from '../limits.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import { hostAndPort, urlOf } from './host-and-port.ts'

/** How sessions are made; what a link has options for is not among it. */
export type KcpOptions = Omit<
  KcpSocketOptions,
  'maxMessageBytes' | 'maxBufferedBytes' | 'clock' | 'random'
> &
  Pick<
    KcpListenOptions,
    | 'allow'
    | 'maxSessions'
    | 'maxSessionsPerAddress'
    | 'maxRetriesPerSecond'
    | 'maxHandshakesPerSecond'
    | 'reusePort'
    | 'worker'
  > & {
    /** Milliseconds until a dial is given up. @defaultValue 5000 */
    readonly connectTimeoutMs?: number
  }

/** KCP over UDP for Node, both ends. URLs: `kcp://host:port`; listen on port 0 for a free one. Needs `@rts/kcp`. */
export function kcp(options: KcpOptions = {}): Transport & { abort(): void } {
  return new KcpTransport(options)
}

class KcpLink implements Link {
  readonly remote: string
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly #session: KcpSession
  readonly #clock: Clock
  #isClosed = false

  constructor(remote: string, session: KcpSession, clock: Clock) {
    this.remote = remote
    this.#session = session
    this.#clock = clock
    session.onMessage = (message, unreliable) => {
      if (!this.#isClosed) this.onMessage(message, unreliable)
    }
    session.on('drain', () => {
      if (!this.#isClosed) this.onDrain()
    })
    session.on('close', ({ code, reason, by }) => {
      // What `send` ends, it does not tell before it returns.
      if (by === 'local') this.#clock.defer(() => this.#finish(code, reason))
      else this.#finish(code, reason)
    })
  }

  get bufferedBytes(): number {
    return this.#session.bufferedBytes
  }
  get maxMessageBytes(): number {
    return this.#session.maxMessageBytes
  }
  set maxMessageBytes(bytes: number) {
    this.#session.maxMessageBytes = bytes
  }
  get maxBufferedBytes(): number {
    return this.#session.maxBufferedBytes
  }
  set maxBufferedBytes(bytes: number) {
    this.#session.maxBufferedBytes = bytes
  }

  send(message: Uint8Array): boolean {
    return this.#session.send(message)
  }

  sendUnreliable(message: Uint8Array): boolean {
    return this.#session.sendUnreliable(message)
  }

  close(code: number = CLOSE.normal, reason = ''): void {
    if (!this.#session.isOpen) return
    void this.#session.close(code, reason)
    // The session goes on delivering; to this end it is over.
    this.#clock.defer(() => this.#finish(code, reason))
  }

  reset(): void {
    this.#session.destroy(CLOSE.lost, 'aborted')
  }

  #finish(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onClose(code, reason)
  }
}

class KcpTransport implements Transport {
  readonly scheme: string = 'kcp'
  readonly #options: KcpOptions
  readonly #listeners = new Set<KcpListener>()
  readonly #links = new Set<KcpLink>()
  readonly #dialing = new Set<AbortController>()

  constructor(options: KcpOptions) {
    this.#options = options
  }

  async dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    const address = hostAndPort(url)
    signal.throwIfAborted()
    if (address === undefined) throw new RpcError('RPC_CONNECT_FAILED', `${url} is no address`)
    // The signal is for the dial alone: once there is a link, it means nothing to it.
    const attempt = new AbortController()
    const abort = (): void => attempt.abort(signal.reason)
    signal.addEventListener('abort', abort)
    this.#dialing.add(attempt)
    try {
      const session = await connect({
        ...this.#sessionOptions(options),
        ...address,
        signal: attempt.signal,
      })
      return this.#link(url, session, options)
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      throw new RpcError('RPC_CONNECT_FAILED', `${url}: ${(cause as Error).message}`, { cause })
    } finally {
      this.#dialing.delete(attempt)
      signal.removeEventListener('abort', abort)
    }
  }

  async listen(url: string, options: LinkOptions, onLink: (link: Link) => void): Promise<Listener> {
    const address = hostAndPort(url)
    if (address === undefined) throw new RpcError('RPC_LISTEN_FAILED', `${url} is no address`)
    const listener = await listen({ ...this.#sessionOptions(options), ...address }, (session) => {
      const remote = urlOf('kcp', session.remoteAddress, session.remotePort)
      onLink(this.#link(remote, session, options))
    }).catch((cause: unknown) => {
      throw new RpcError('RPC_LISTEN_FAILED', `${url}: ${(cause as Error).message}`, { cause })
    })
    this.#listeners.add(listener)
    // Not when it is closed: its links live on, and are its until the last has ended.
    void listener.closed.then(() => this.#listeners.delete(listener))
    return {
      url: urlOf('kcp', address.host, listener.port),
      close: () => listener.close({ sessions: 'keep' }),
    }
  }

  abort(): void {
    for (const attempt of this.#dialing) attempt.abort(new Error('aborted'))
    for (const listener of this.#listeners) void listener.abort()
    this.#listeners.clear()
    for (const link of this.#links) link.reset()
  }

  #sessionOptions({ trust, ...options }: LinkOptions): KcpSocketOptions {
    const { clock, random } = options
    return {
      ...this.#options,
      maxMessageBytes: options.maxMessageBytes ?? messageBytesFor(trust),
      maxBufferedBytes: options.maxBufferedBytes ?? bufferedBytesFor(trust),
      // KCP's own real clock knows besides how busy the process is.
      ...(clock === undefined || clock === systemClock ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
    }
  }

  #link(remote: string, session: KcpSession, options: LinkOptions): KcpLink {
    const link = new KcpLink(remote, session, options.clock ?? systemClock)
    this.#links.add(link)
    session.on('close', () => this.#links.delete(link))
    return link
  }
}
