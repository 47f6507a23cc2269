import type { Duplex } from 'node:stream'
import { KcpError } from '../errors.ts'
import type { KcpStats } from '../kcp.ts'
import { KCP_CLOSE } from './close-codes.ts'
import type { KcpCloseInfo } from './closes.ts'
import type { Conversation, ConversationOwner } from './conversation.ts'
import { duplexOf } from './duplex.ts'
import { MAX_FRAME_BYTES } from './frames.ts'
import { messagesOf } from './message-iterator.ts'
import { whole } from './options.ts'

/** What may happen to a session. */
export interface KcpSessionEvents {
  /** A message came; the bytes are the listener's to keep. */
  message: (bytes: Uint8Array<ArrayBuffer>) => void
  /** Something that `sendUnreliable` sent came; the bytes are the listener's to keep. */
  unreliable: (bytes: Uint8Array<ArrayBuffer>) => void
  /** After `send` answered `false`: there is room again. */
  drain: () => void
  /** The other end has another address now. */
  migrated: () => void
  /** Once, and nothing follows it. */
  close: (info: KcpCloseInfo) => void
}

const EVENTS: ReadonlySet<keyof KcpSessionEvents> = new Set<keyof KcpSessionEvents>([
  'message',
  'unreliable',
  'drain',
  'migrated',
  'close',
])

type Handler = (...args: never[]) => void

/** How a session is doing. */
export interface KcpSessionStats extends Readonly<KcpStats> {
  /** Smoothed round trip in milliseconds; 0 before the first. */
  readonly rttMs: number
  readonly rttVarianceMs: number
  /** Milliseconds after which something is sent again. */
  readonly rtoMs: number
  /** KCP's congestion window in segments; it counts only with `nc: false`. */
  readonly cwnd: number
  /** Bytes waiting to be sent or acknowledged. */
  readonly bufferedBytes: number
  /** Segments waiting to be sent or acknowledged. */
  readonly waitSnd: number
  /** The other end's free receive window, in segments. */
  readonly remoteWindow: number
  /** Largest run of KCP segments in one datagram, in bytes. */
  readonly mtu: number
}

// What a conversation tells its session, past the session's public face.
let takeMessage: (session: KcpSession, bytes: Uint8Array) => void
let takeUnreliable: (session: KcpSession, bytes: Uint8Array) => void
let tell: (session: KcpSession, event: 'drain' | 'migrated') => void
let end: (session: KcpSession, info: KcpCloseInfo) => void

/**
 * One reliable, ordered connection for messages, and a way beside it for those that may be lost. Until
 * somebody listens for messages they wait, and the sender is slowed down.
 */
export class KcpSession implements AsyncDisposable {
  readonly #conversation: Conversation
  #handlers: Map<keyof KcpSessionEvents, readonly Handler[]> | undefined
  #ended: Promise<void> | undefined
  #end: (() => void) | undefined
  #onMessage: ((bytes: Uint8Array, unreliable: boolean) => void) | undefined
  #isHeld = false
  #closeInfo: KcpCloseInfo | undefined

  /** @internal Sessions come from `listen` and `connect`. */
  constructor(conversation: Conversation) {
    this.#conversation = conversation
    conversation.owner = new Owner(this)
  }

  static {
    takeMessage = (session, bytes) => {
      // Who comes while this one is handed out gets the next.
      const handlers = session.#handlers?.get('message')
      session.#onMessage?.(bytes, false)
      if (handlers !== undefined) session.#call(handlers, [bytes.slice()])
    }
    takeUnreliable = (session, bytes) => {
      session.#onMessage?.(bytes, true)
      if (session.#hears('unreliable')) session.#emit('unreliable', bytes.slice())
    }
    tell = (session, event) => session.#emit(event)
    end = (session, info) => {
      session.#closeInfo = info
      session.#end?.()
      const handlers = session.#handlers?.get('close') ?? []
      session.#handlers = undefined
      tellAll(handlers, info)
    }
  }

  get conv(): number {
    return this.#conversation.kcp.conv
  }
  get remoteAddress(): string {
    return this.#conversation.address
  }
  get remotePort(): number {
    return this.#conversation.port
  }
  get isOpen(): boolean {
    return this.#conversation.state === 'open'
  }
  /** Bytes accepted by `send` that the other end has not acknowledged. */
  get bufferedBytes(): number {
    return this.#conversation.state === 'closed' ? 0 : this.#conversation.bufferedBytes
  }
  /** The largest message this end accepts; may be changed. */
  get maxMessageBytes(): number {
    return this.#conversation.maxMessageBytes
  }
  set maxMessageBytes(bytes: number) {
    whole({ maxMessageBytes: bytes }, 'maxMessageBytes', 1, MAX_FRAME_BYTES)
    this.#conversation.maxMessageBytes = bytes
  }
  /** Bytes waiting to be sent at which the session is reset; may be changed. */
  get maxBufferedBytes(): number {
    return this.#conversation.maxBufferedBytes
  }
  set maxBufferedBytes(bytes: number) {
    whole({ maxBufferedBytes: bytes }, 'maxBufferedBytes', 1, Number.MAX_SAFE_INTEGER)
    this.#conversation.maxBufferedBytes = bytes
  }
  /** The most `sendUnreliable` takes now; more once the path was found to carry more. */
  get maxUnreliableBytes(): number {
    return this.#conversation.maxUnreliableBytes
  }
  /** How it ended; `undefined` while it has not. */
  get closeInfo(): KcpCloseInfo | undefined {
    return this.#closeInfo
  }

  /**
   * For hot paths, instead of the events `message` and `unreliable`: nothing is copied, the bytes are valid
   * only during the call.
   */
  get onMessage(): ((bytes: Uint8Array, unreliable: boolean) => void) | undefined {
    return this.#onMessage
  }
  set onMessage(handler: ((bytes: Uint8Array, unreliable: boolean) => void) | undefined) {
    this.#onMessage = handler
    this.#readWhileWanted()
  }

  /**
   * Sends a message; it is copied. One above the other end's `maxMessageBytes` closes the session there.
   *
   * @returns `false`: accepted, but wait for `drain`; or the session is not open.
   */
  send(message: Uint8Array): boolean {
    return this.#conversation.send(message)
  }

  /**
   * Sends one datagram that may be lost or late; it comes once at most.
   *
   * @returns `false`: it was not sent; it is larger than `maxUnreliableBytes`, or the session is not open.
   */
  sendUnreliable(message: Uint8Array): boolean {
    return this.#conversation.sendUnreliable(message)
  }

  /**
   * Calls `listener` when it happens. Returns the undo.
   *
   * @throws TypeError when there is no such event.
   */
  on<E extends keyof KcpSessionEvents>(event: E, listener: KcpSessionEvents[E]): () => void {
    if (!EVENTS.has(event)) throw new TypeError(`there is no event ${String(event)}`)
    const all = (this.#handlers ??= new Map<keyof KcpSessionEvents, readonly Handler[]>())
    let isOn = true
    // Lists are made anew: one that is being gone through stays as it is.
    all.set(event, [...(all.get(event) ?? []), listener])
    this.#readWhileWanted()
    return () => {
      const handlers = all.get(event) ?? []
      const index = isOn ? handlers.indexOf(listener) : -1
      isOn = false
      if (index < 0) return
      if (handlers.length === 1) all.delete(event)
      else all.set(event, handlers.toSpliced(index, 1))
      this.#readWhileWanted()
    }
  }

  /** Stops handing out messages, at once; a sender who goes on is slowed down. */
  pause(): void {
    this.#isHeld = true
    this.#readWhileWanted()
  }

  resume(): void {
    this.#isHeld = false
    this.#readWhileWanted()
  }

  /**
   * Delivers what was sent, tells the other end, and ends; within `closeTimeoutMs` in any case, with the error
   * `KCP_TIMEOUT` in `closeInfo` when not all was delivered by then. Safe to call twice. Settles when it has ended.
   *
   * @throws RangeError when `code` is not 0 to 65535.
   */
  close(code: number = KCP_CLOSE.normal, reason = ''): Promise<void> {
    whole({ code }, 'code', 0, 0xff_ff)
    if (this.#closeInfo !== undefined) return Promise.resolve()
    this.#ended ??= new Promise((resolve) => {
      this.#end = resolve
    })
    this.#conversation.close(code, reason)
    return this.#ended
  }

  /** Ends at once and tells the other end no more than that. What was not delivered is lost. */
  destroy(code: number = KCP_CLOSE.lost, reason = 'destroyed'): void {
    whole({ code }, 'code', 0, 0xff_ff)
    this.#conversation.destroy(code, reason, new KcpError('KCP_CLOSED', reason))
  }

  stats(): KcpSessionStats {
    const { kcp } = this.#conversation
    return {
      ...kcp.stats,
      rttMs: kcp.rxSrtt,
      rttVarianceMs: kcp.rxRttvar,
      rtoMs: kcp.rxRto,
      cwnd: kcp.cwnd,
      bufferedBytes: this.bufferedBytes,
      waitSnd: kcp.waitSnd,
      remoteWindow: kcp.rmtWnd,
      mtu: kcp.mtu,
    }
  }

  /** As `ikcp_nodelay`; what is left out stays. */
  setNoDelay(nodelay: number, interval?: number, resend?: number, nc?: boolean): void {
    this.#conversation.setTuning({
      nodelay,
      ...(interval === undefined ? {} : { interval }),
      ...(resend === undefined ? {} : { resend }),
      ...(nc === undefined ? {} : { nc }),
    })
  }

  /**
   * As `ikcp_wndsize`, in segments; 0 leaves a window as it is.
   *
   * @throws RangeError when one is out of range, or the receive window of a raw session in message framing gets smaller.
   */
  setWindowSize(sndWnd: number, rcvWnd = 0): void {
    this.#conversation.setWindowSize(sndWnd, rcvWnd)
  }

  /** Whether acknowledgements go out at the end of the turn, and not after `interval`. */
  setAckNoDelay(on: boolean): void {
    this.#conversation.setTuning({ ackNoDelay: on })
  }

  /** Whether writes wait for `interval`, for fuller datagrams. */
  setWriteDelay(on: boolean): void {
    this.#conversation.setTuning({ writeDelay: on })
  }

  /**
   * The session as a stream of bytes: each write is a message, boundaries mean nothing to the reader. Ending it
   * delivers what was written and closes the session, both directions at once: what the other end has still to send is
   * lost, there is no half-close. Not to be mixed with other ways of reading.
   */
  asDuplex(): Duplex {
    return duplexOf(this)
  }

  /** The messages, until the session ends; throws when it does not end by a close. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    return messagesOf(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #hears(event: keyof KcpSessionEvents): boolean {
    return this.#handlers?.has(event) === true
  }

  /** What comes while nobody listens waits for the next who does. */
  #readWhileWanted(): void {
    const isWanted = this.#onMessage !== undefined || this.#hears('message')
    if (isWanted && !this.#isHeld) this.#conversation.resume()
    else this.#conversation.pause()
  }

  #emit<E extends keyof KcpSessionEvents>(
    event: E,
    ...args: Parameters<KcpSessionEvents[E]>
  ): void {
    const handlers = this.#handlers?.get(event)
    if (handlers !== undefined) this.#call(handlers, args)
  }

  /** Nothing follows the end, also when one of them brings it about. */
  #call(handlers: readonly Handler[], args: readonly unknown[]): void {
    for (const handler of handlers) {
      if (this.#closeInfo !== undefined) return
      ;(handler as (...all: unknown[]) => void)(...args)
    }
  }
}

/** Who listens for the end hears of it, whatever others make of it. */
function tellAll(handlers: readonly Handler[], info: KcpCloseInfo): void {
  const thrown: unknown[] = []
  for (const handler of handlers) {
    try {
      ;(handler as KcpSessionEvents['close'])(info)
    } catch (error) {
      thrown.push(error)
    }
  }
  if (thrown.length > 0) throw thrown[0]
}

class Owner implements ConversationOwner {
  readonly session: KcpSession

  constructor(session: KcpSession) {
    this.session = session
  }

  onMessage(bytes: Uint8Array): void {
    takeMessage(this.session, bytes)
  }
  onUnreliable(bytes: Uint8Array): void {
    takeUnreliable(this.session, bytes)
  }
  onDrain(): void {
    tell(this.session, 'drain')
  }
  onMigrated(): void {
    tell(this.session, 'migrated')
  }
  onClosed(info: KcpCloseInfo): void {
    end(this.session, info)
  }
}
