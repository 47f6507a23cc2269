import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { systemClock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import type { Piece } from './batch-writer.ts'
import { hostAndPort, urlOf } from './host-and-port.ts'
import { SlabPool } from './slab-pool.ts'
import { InPlaceStreamLink } from './in-place-stream-link.ts'
import { flushModeOf, type ByteStream, type FlushMode, type StreamLink } from './stream-link.ts'
import { MAX_WEBSOCKET_BYTES } from './websocket-limits.ts'

const UPGRADE_TIMEOUT_MS = 10_000

export interface WsOptions {
  /** Listeners take this server's upgrades for their path; host and port of their URL say nothing. @defaultValue a server of their own */
  readonly server?: Server | SecureServer
  /** When messages leave: see {@link FlushMode}. @defaultValue 'tick' */
  readonly flush?: FlushMode
}

/** WebSocket for Node, both ends. URLs: `ws://host:port/path`; dials `wss://` too. Needs the package `ws`. */
export function ws(options: WsOptions = {}): Transport & { abort(): void; flush(): void } {
  return new WsTransport(options.server, flushModeOf(options.flush))
}

class WsStream implements ByteStream {
  readonly #socket: WebSocket

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  write(pieces: readonly Piece[], left: () => void): void {
    const options = { binary: true, compress: false }
    pieces.forEach(({ bytes }, i) => {
      const isLast = i === pieces.length - 1
      // The stream is one; where it is cut into WebSocket messages means nothing.
      let at = 0
      for (; at + MAX_WEBSOCKET_BYTES < bytes.length; at += MAX_WEBSOCKET_BYTES) {
        this.#socket.send(bytes.subarray(at, at + MAX_WEBSOCKET_BYTES), options)
      }
      this.#socket.send(bytes.subarray(at), options, () => isLast && left())
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.close(1000)
  }

  destroy(): void {
    this.#socket.terminate()
  }
}

class WsTransport implements Transport {
  readonly scheme: string = 'ws'
  readonly #shared: Server | SecureServer | undefined
  readonly #flushMode: FlushMode
  readonly #pool = new SlabPool()
  readonly #links = new Set<StreamLink>()
  readonly #dialing = new Set<WebSocket>()
  readonly #stops = new Set<() => void>()

  constructor(shared: Server | SecureServer | undefined, flushMode: FlushMode) {
    this.#shared = shared
    this.#flushMode = flushMode
  }

  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    return new Promise((resolve, reject) => {
      const limits = { perMessageDeflate: false, maxPayload: MAX_WEBSOCKET_BYTES }
      const socket = new WebSocket(url, { ...limits, handshakeTimeout: UPGRADE_TIMEOUT_MS })
      this.#dialing.add(socket)
      const settle = (): void => {
        this.#dialing.delete(socket)
        signal.removeEventListener('abort', abort)
        socket.removeListener('error', refuse)
        socket.on('error', () => {})
      }
      const refuse = (cause: NodeJS.ErrnoException): void => {
        settle()
        const why = cause.code ?? cause.message
        reject(new RpcError('RPC_CONNECT_FAILED', `${url}: ${why}`, { cause }))
      }
      const abort = (): void => {
        settle()
        socket.terminate()
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort)
      socket.on('error', refuse)
      socket.once('open', () => {
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
    const path = new URL(url).pathname
    const upgrades = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_WEBSOCKET_BYTES,
    })
    const accept = (socket: WebSocket, request: IncomingMessage): void => {
      const { remoteAddress = '0.0.0.0', remotePort = 0 } = request.socket
      onLink(this.#link(urlOf('ws', remoteAddress, remotePort), socket, options))
    }
    const server = this.#shared ?? ownServer()
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (new URL(request.url ?? '/', 'ws://host').pathname === path) {
        upgrades.handleUpgrade(request, socket, head, accept)
      } else if (server.listenerCount('upgrade') === 1) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
      }
    }
    const stop = (): void => {
      this.#stops.delete(stop)
      server.removeListener('upgrade', upgrade)
      if (server !== this.#shared) server.close()
    }
    const clock = options.clock ?? systemClock
    let closing: Promise<void> | undefined
    const close = (): Promise<void> =>
      (closing ??= new Promise((closed) => {
        stop()
        clock.defer(closed)
      }))
    const started = (): Listener => {
      this.#stops.add(stop)
      server.on('upgrade', upgrade)
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
      return { url: urlOf('ws', address.host, port, path), close }
    }
    if (server === this.#shared) return Promise.resolve(started())
    return new Promise((resolve, reject) => {
      server.on('error', (cause: NodeJS.ErrnoException) => {
        reject(new RpcError('RPC_LISTEN_FAILED', `${url}: ${cause.code}`, { cause }))
      })
      server.listen(address, () => resolve(started()))
    })
  }

  flush(): void {
    for (const link of this.#links) link.flush()
  }

  abort(): void {
    for (const stop of this.#stops) stop()
    for (const socket of this.#dialing) socket.terminate()
    for (const link of this.#links) link.reset(CLOSE.lost, 'aborted')
  }

  #link(remote: string, socket: WebSocket, options: LinkOptions): StreamLink {
    const stream = new WsStream(socket)
    const link = new InPlaceStreamLink(remote, stream, this.#pool, options, this.#flushMode)
    this.#links.add(link)
    let why = 'the other end went away'
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary && data instanceof Uint8Array) link.feed(data)
      else link.close(CLOSE.protocol, 'a text message')
    })
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

function ownServer(): Server {
  const server = createServer((_, response) => {
    response.writeHead(426, { connection: 'close' }).end()
  })
  server.headersTimeout = UPGRADE_TIMEOUT_MS
  server.requestTimeout = UPGRADE_TIMEOUT_MS
  return server
}
