import { systemClock, type Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import type { Piece } from './batch-writer.ts'
import { SlabPool } from './slab-pool.ts'
import { flushModeOf, StreamLink, type ByteStream, type FlushMode } from './stream-link.ts'
import { MAX_WEBSOCKET_BYTES } from './websocket-limits.ts'

/** Browsers do not say when their buffer drains: it is looked at so often while it holds something. */
const DRAIN_LOOK_MS = 10

export interface WebSocketOptions {
  /** When messages leave: see {@link FlushMode}. @defaultValue 'tick' */
  readonly flush?: FlushMode
}

/** WebSocket by the platform's own class: for browsers, dials only. URLs: `ws://host:port/path`, `wss://…`. */
export function websocket(
  options: WebSocketOptions = {},
): Transport & { abort(): void; flush(): void } {
  return new WebSocketTransport(flushModeOf(options.flush))
}

class WebSocketStream implements ByteStream {
  readonly #socket: WebSocket
  readonly #clock: Clock
  /** What was written and has not left, by the count of bytes written before its end. */
  #waiting: { readonly end: number; readonly left: () => void }[] = []
  #total = 0
  #isLooking = false

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
  }

  write(pieces: readonly Piece[], left: () => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    for (const { bytes } of pieces) {
      for (let at = 0; at < bytes.length; at += MAX_WEBSOCKET_BYTES) {
        // Copied by `send`; the slab has an ArrayBuffer of its own.
        this.#socket.send(bytes.subarray(at, at + MAX_WEBSOCKET_BYTES) as Uint8Array<ArrayBuffer>)
      }
      this.#total += bytes.length
    }
    this.#waiting.push({ end: this.#total, left })
    this.#look()
  }

  // The platform has no way to hold a WebSocket back: what arrives waits in the reader.
  pause(): void {}
  resume(): void {}

  end(): void {
    this.#socket.close(1000)
  }

  destroy(): void {
    this.#socket.close()
  }

  #look(): void {
    const gone = this.#total - this.#socket.bufferedAmount
    while (this.#waiting[0] !== undefined && this.#waiting[0].end <= gone) {
      this.#waiting.shift()?.left()
    }
    if (this.#waiting.length === 0 || this.#isLooking) return
    this.#isLooking = true
    this.#clock.setTimer(DRAIN_LOOK_MS, () => {
      this.#isLooking = false
      this.#look()
    })
  }
}

class WebSocketTransport implements Transport {
  readonly scheme: string = 'ws'
  readonly #flushMode: FlushMode
  readonly #pool = new SlabPool()
  readonly #links = new Set<StreamLink>()

  constructor(flushMode: FlushMode) {
    this.#flushMode = flushMode
  }

  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url)
      socket.binaryType = 'arraybuffer'
      const settle = (): void => {
        signal.removeEventListener('abort', abort)
        socket.removeEventListener('error', refuse)
        socket.removeEventListener('open', open)
      }
      const refuse = (): void => {
        settle()
        // Browsers tell scripts no more than that.
        reject(new RpcError('RPC_CONNECT_FAILED', `${url}: the WebSocket could not be opened`))
      }
      const abort = (): void => {
        settle()
        socket.close()
        reject(signal.reason as Error)
      }
      const open = (): void => {
        settle()
        resolve(this.#link(url, socket, options))
      }
      signal.addEventListener('abort', abort)
      socket.addEventListener('error', refuse)
      socket.addEventListener('open', open)
    })
  }

  listen(url: string): Promise<Listener> {
    return Promise.reject(new RpcError('RPC_LISTEN_FAILED', `${url}: a browser cannot listen`))
  }

  flush(): void {
    for (const link of this.#links) link.flush()
  }

  abort(): void {
    for (const link of this.#links) link.reset(CLOSE.lost, 'aborted')
  }

  #link(remote: string, socket: WebSocket, options: LinkOptions): StreamLink {
    const stream = new WebSocketStream(socket, options.clock ?? systemClock)
    const link = new StreamLink(remote, stream, this.#pool, options, this.#flushMode)
    this.#links.add(link)
    socket.addEventListener('message', (event: MessageEvent) => {
      if (event.data instanceof ArrayBuffer) link.feed(new Uint8Array(event.data))
      else link.close(CLOSE.protocol, 'a text message')
    })
    socket.addEventListener('close', () => {
      this.#links.delete(link)
      link.ended('the other end went away')
    })
    return link
  }
}
