import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

/**
 * A message-oriented duplex connection: one `send` here is one message there, in order, or a close.
 * Whoever receives a link sets its three handlers before returning to the event loop.
 */
export interface Link {
  /** Where the other end is: `tcp://127.0.0.1:7001`. */
  readonly remote: string
  /** The transport itself has proven that the other end is a server of this cluster: mutual TLS. */
  readonly isProvenServer?: boolean
  /** Bytes accepted by `send` that have not left this process yet. */
  readonly bufferedBytes: number
  /** The largest message this end accepts. Where the transport has it, it may be changed while the link is open. */
  maxMessageBytes?: number
  /** Bytes waiting to be sent at which the link closes. Changeable like the one above. */
  maxBufferedBytes?: number
  /** Copies the message before it returns. `false`: accepted, but wait for `onDrain` before sending more. */
  send(message: Uint8Array): boolean
  /** May be lost, doubled or late; only where the transport has it. On a virtual link: the state lane, latest wins. */
  sendUnreliable?(message: Uint8Array): boolean
  /** Sends what `send` accepted, tells the other end why, and closes. Safe to call twice. */
  close(code?: number, reason?: string): void
  /** The bytes are valid only during the call. `unreliable` is true for what `sendUnreliable` sent. */
  onMessage: (message: Uint8Array, unreliable?: boolean) => void
  /** Called after `send` returned `false`, once the buffer has room again. */
  onDrain: () => void
  /** Called exactly once, after a local `close` in a later turn. Nothing is called after it. Codes: `CLOSE`. */
  onClose: (code: number, reason: string) => void
}

/** Reserved for the secure handshake, which the session fills in. */
export interface SecureOptions {
  readonly mode: 'plain'
}

export interface LinkOptions {
  /** Largest message accepted, checked before it is buffered. @defaultValue 16 KiB for `player`, 16 MiB for `server` */
  readonly maxMessageBytes?: number
  /** Bytes waiting to be sent at which the link closes. @defaultValue 1 MiB for `player`, 64 MiB for `server` */
  readonly maxBufferedBytes?: number
  /** What a peer on this listener can earn at most. */
  readonly trust: 'server' | 'player'
  readonly secure?: SecureOptions
  readonly clock?: Clock
  readonly random?: Random
}

export interface Listener {
  /** With the real port, where port 0 was asked for. */
  readonly url: string
  /** Stops listening. Links made through it stay open. Safe to call twice. */
  close(): Promise<void>
}

export interface Transport {
  /** The scheme of the addresses it serves: `tcp`, `ws`, `memory`, `sim`. */
  readonly scheme: string
  /** Rejects with `RPC_CONNECT_FAILED`, or with `signal.reason` when the signal fires first. */
  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link>
  /** Rejects with `RPC_LISTEN_FAILED`, for instance when the port is in use. */
  listen(url: string, options: LinkOptions, onLink: (link: Link) => void): Promise<Listener>
  /** Writes what the links of this instance have collected, where the transport was told to wait for that. */
  flush?(): void
  /** Resets every link and listener this instance made, with no flush or close frame: what a crash looks like. */
  abort?(): void
}
