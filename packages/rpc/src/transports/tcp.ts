import { connect, createServer, type Server, type Socket } from 'node:net'
import { systemClock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import type { Piece } from './batch-writer.ts'
import { hostAndPort, urlOf } from './host-and-port.ts'
import { SlabPool } from './slab-pool.ts'
import { TlsEndpoint, type TlsOptions } from './tls.ts'
import { InPlaceStreamLink } from './in-place-stream-link.ts'
import { flushModeOf, type ByteStream, type FlushMode, type StreamLink } from './stream-link.ts'

export interface TcpOptions {
  /** When messages leave: see {@link FlushMode}. @defaultValue 'tick' */
  readonly flush?: FlushMode
  /** Encrypts. The scheme of the addresses is then `tls`, and this transport dials and takes nothing else. */
  readonly tls?: TlsOptions
}

/** TCP for Node. URLs: `tcp://host:port`, with the option `tls` `tls://host:port`; listen on port 0 for a free one. */
export function tcp(options: TcpOptions = {}): Transport & { abort(): void; flush(): void } {
  const { tls } = options
  const secure = tls === undefined ? undefined : new TlsEndpoint(tls)
  return new TcpTransport(flushModeOf(options.flush), secure)
}

class TcpStream implements ByteStream {
  readonly #socket: Socket
  readonly #isSecure: boolean

  constructor(socket: Socket, isSecure: boolean) {
    this.#isSecure = isSecure
    this.#socket = socket
  }

  write(pieces: readonly Piece[], left: () => void): void {
    const socket = this.#socket
    // Corked pieces leave in one writev.
    if (pieces.length > 1) socket.cork()
    pieces.forEach((piece, i) =>
      socket.write(piece.bytes, i < pieces.length - 1 ? undefined : left),
    )
    if (pieces.length > 1) socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    // Below TLS there is no reset; the missing close mark tells the same.
    if (this.#isSecure) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }
}

class TcpTransport implements Transport {
  readonly scheme: string
  readonly #secure: TlsEndpoint | undefined
  readonly #flushMode: FlushMode
  readonly #pool = new SlabPool()
  readonly #links = new Set<StreamLink>()
  readonly #servers = new Set<Server>()
  readonly #dialing = new Set<Socket>()

  constructor(flushMode: FlushMode, secure: TlsEndpoint | undefined) {
    this.scheme = secure === undefined ? 'tcp' : 'tls'
    this.#secure = secure
    this.#flushMode = flushMode
  }

  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    const address = hostAndPort(url)
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    if (address === undefined) {
      return Promise.reject(new RpcError('RPC_CONNECT_FAILED', `${url} is no address`))
    }
    return new Promise((resolve, reject) => {
      const socket = this.#secure?.connect(address) ?? connect({ ...address, noDelay: true })
      this.#dialing.add(socket)
      const settle = (): void => {
        this.#dialing.delete(socket)
        signal.removeEventListener('abort', abort)
        socket.removeListener('error', refuse)
        socket.removeListener('close', refuse)
      }
      const refuse = (cause?: unknown): void => {
        settle()
        const why = (cause as { code?: string } | undefined)?.code ?? 'closed'
        // A second error, after the first was told, has nobody to tell.
        socket.on('error', () => {})
        reject(new RpcError('RPC_CONNECT_FAILED', `${url}: ${why}`, { cause }))
      }
      const abort = (): void => {
        settle()
        socket.on('error', () => {})
        socket.destroy()
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort)
      socket.on('error', refuse)
      socket.on('close', refuse)
      socket.once(this.#secure === undefined ? 'connect' : 'secureConnect', () => {
        settle()
        resolve(this.#link(url, socket, options))
      })
    })
  }

  listen(url: string, options: LinkOptions, onLink: (link: Link) => void): Promise<Listener> {
    const address = hostAndPort(url)
    if (address === undefined) {
      return Promise.reject(new RpcError('RPC_LISTEN_FAILED', `${url} is no address`))
    }
    const clock = options.clock ?? systemClock
    return new Promise((resolve, reject) => {
      const accept = (socket: Socket): void => {
        const { remoteAddress = '0.0.0.0', remotePort = 0 } = socket
        onLink(this.#link(urlOf(this.scheme, remoteAddress, remotePort), socket, options))
      }
      const server = this.#secure?.createServer(accept) ?? createServer({ noDelay: true }, accept)
      const refuse = (cause: NodeJS.ErrnoException): void => {
        reject(new RpcError('RPC_LISTEN_FAILED', `${url}: ${cause.code}`, { cause }))
      }
      server.on('error', refuse)
      server.listen(address, () => {
        this.#servers.add(server)
        const bound = server.address()
        const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
        let closing: Promise<void> | undefined
        resolve({
          url: urlOf(this.scheme, address.host, port),
          // Does not wait for open links, as the server's own callback would.
          close: () =>
            (closing ??= new Promise((closed) => {
              this.#servers.delete(server)
              server.close()
              clock.defer(closed)
            })),
        })
      })
    })
  }

  flush(): void {
    for (const link of this.#links) link.flush()
  }

  abort(): void {
    for (const server of this.#servers) server.close()
    this.#servers.clear()
    for (const socket of this.#dialing) socket.destroy()
    for (const link of this.#links) link.reset(CLOSE.lost, 'aborted')
  }

  #link(remote: string, socket: Socket, options: LinkOptions): StreamLink {
    const stream = new TcpStream(socket, this.#secure !== undefined)
    const link = new InPlaceStreamLink(remote, stream, this.#pool, options, this.#flushMode)
    link.isProvenServer = this.#secure?.isServer(socket) === true
    this.#links.add(link)
    let why = 'the other end went away'
    socket.on('data', (chunk) => link.feed(chunk as Buffer))
    socket.on('end', () => link.ended(why))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message
    })
    socket.on('close', () => {
      this.#links.delete(link)
      link.ended(why)
    })
    return link
  }
}
