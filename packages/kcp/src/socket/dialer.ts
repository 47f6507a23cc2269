import { KcpError } from '../errors.ts'
import type { ClientKeyExchange, DatagramCipher } from './cipher.ts'
import { commonsOfClients } from './commons.ts'
import type { KcpCounters } from './counters.ts'
import {
  ACCEPT_BODY_BYTES,
  decodeAcceptHeader,
  decodeRefuse,
  decodeRetry,
  encodeHello,
  FIRST_SEALED_KIND,
  KIND,
  LAST_SEALED_KIND,
  MAX_DATAGRAM_BYTES,
  NONCE_BYTES,
  readConv,
  readU16,
  readU32,
  type RefuseReason,
} from './datagram.ts'
import type { DatagramSocket } from './datagram-socket.ts'
import { Endpoint } from './endpoint.ts'
import { MAX_ACK_DELAY_MS } from './listen-options.ts'
import { openWithin } from './opening.ts'
import { agreedIdleTimeoutMs, resolveOptions, whole, type KcpSocketOptions } from './options.ts'
import { Reopener, tellsOfLostWay } from './reopener.ts'
import { SafeConversation, type Registry } from './safe-conversation.ts'
import { KcpSession } from './session.ts'
import { TimeWait } from './time-wait.ts'

/** A hello is repeated after this long, each time later by half, to 2 s. */
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 2000
/** Hellos with a token that was perhaps spoilt, or is out of date, before a new one is asked for. */
const MAX_TOKEN_TRIES = 4
/** The system told so often that nobody listens there: it is believed. The next hello follows a refusal after so long. */
const MAX_REFUSALS = 3
const REFUSED_RETRY_MS = 50
/** A client's socket stays for a moment, to answer a close whose answer was lost; the process need not. */
const LINGER_MS = 1000
const NO_TOKEN = new Uint8Array(0)
/** What a listener says when it does not want us. */
const REFUSALS: Readonly<Record<RefuseReason, string>> = {
  refused: 'it does not want this client, or is closing',
  full: 'it has as many sessions as it takes, in all or from here',
  busy: 'it is busy with other handshakes',
  key: 'it knows another secret, or has another security',
}

export interface KcpConnectOptions extends KcpSocketOptions {
  readonly host: string
  readonly port: number
  /** Milliseconds until the attempt is given up, looking the name up included. @defaultValue 5000 */
  readonly connectTimeoutMs?: number
  /** Gives the attempt up, or resets the session once there is one. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens a session.
 *
 * @throws KcpError `KCP_CONNECT_FAILED` when nobody answers, `KCP_REFUSED` when the listener does not want us.
 * @throws RangeError when an option is out of range. An abort rejects with the signal's reason.
 */
export async function connect(options: KcpConnectOptions): Promise<KcpSession> {
  const resolved = resolveOptions(options)
  const settings = { connectTimeoutMs: options.connectTimeoutMs ?? 5000 }
  whole(settings, 'connectTimeoutMs', 1, 3_600_000)
  const { clock, random, security } = resolved
  const { host, port, signal } = options
  signal?.throwIfAborted()
  const nonce = random(NONCE_BYTES)
  // Before there is a socket, as it may throw.
  const exchange = security.begin(random)
  const timeoutMs = settings.connectTimeoutMs
  const beganMs = clock.now()
  const socket = await openWithin(resolved, { connect: { host, port } }, { signal, timeoutMs })
  const leftMs = Math.max(0, timeoutMs - (clock.now() - beganMs))
  const endpoint = new Endpoint(socket, resolved, commonsOfClients(clock))
  return new Dialer(endpoint, { host, port, signal, nonce, exchange }).connect(leftMs)
}

/** Counters by session: a client's socket has one. */
const countersOf = new WeakMap<KcpSession, KcpCounters>()

/** What has gone through the socket of a session made by `connect`. */
export function socketCounters(session: KcpSession): KcpCounters | undefined {
  const counters = countersOf.get(session)
  return counters && { ...counters, dropped: { ...counters.dropped } }
}

interface DialerInit {
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal | undefined
  readonly nonce: Uint8Array
  readonly exchange: ClientKeyExchange
}

/** One attempt, and then the socket of the session it led to. */
class Dialer {
  readonly #endpoint: Endpoint
  readonly #host: string
  /** Of the host. */
  readonly #address: string
  readonly #port: number
  readonly #signal: AbortSignal | undefined
  readonly #nonce: Uint8Array
  readonly #timeWait = new TimeWait()
  #hello: Uint8Array
  #token: Uint8Array = NO_TOKEN
  readonly #exchange: ClientKeyExchange
  readonly #reopener: Reopener
  #conversation: SafeConversation | undefined
  #retryMs = FIRST_RETRY_MS
  #tokenTries = 0
  #refusals = 0
  /** Since when the socket is in use that took the place of another. */
  #replacedMs = -Infinity
  #cancelRetry: (() => void) | undefined
  #cancelTimeout: (() => void) | undefined
  #resolve: (session: KcpSession) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #isSettled = false
  readonly #abort = (): void => this.#aborted()

  constructor(endpoint: Endpoint, { host, port, signal, nonce, exchange }: DialerInit) {
    this.#endpoint = endpoint
    this.#host = host
    this.#address = endpoint.socket.remoteAddress ?? host
    this.#port = port
    this.#signal = signal
    this.#nonce = nonce
    this.#exchange = exchange
    this.#hello = this.#encode()
    this.#reopener = new Reopener(
      endpoint,
      () => this.#conversation !== undefined && this.#conversation.state !== 'closed',
      (socket) => this.#replaceSocket(socket),
    )
    this.#useSocket(endpoint.socket)
  }

  connect(timeoutMs: number): Promise<KcpSession> {
    const { clock } = this.#endpoint
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#signal?.addEventListener('abort', this.#abort)
      this.#cancelTimeout = clock.setTimer(timeoutMs, () =>
        this.#fail(new KcpError('KCP_CONNECT_FAILED', `${this.#where}: ${this.#silence}`)),
      )
      if (this.#signal?.aborted === true) this.#aborted()
      else this.#sendHello()
    })
  }

  #useSocket(socket: DatagramSocket): void {
    socket.onDatagram = (bytes, address, from) => this.#deliver(bytes, address, from)
    socket.onError = (error) => this.#failedSend(error)
    this.#endpoint.socket = socket
  }

  /** The listener finds the session in what comes from the new address. */
  #replaceSocket(socket: DatagramSocket): void {
    const endpoint = this.#endpoint
    const before = endpoint.socket
    before.onError = () => {}
    void before.close()
    this.#useSocket(socket)
    this.#replacedMs = endpoint.now()
    endpoint.options.logger.debug('another socket', { port: socket.port })
    // A ping at once, so that it need not wait for the next thing to say.
    this.#conversation?.start(endpoint.now())
  }

  get #silence(): string {
    const { notAuthentic } = this.#endpoint.counters.dropped
    return notAuthentic === 0 ? 'no answer' : 'no answer that fits our secret or security'
  }

  get #where(): string {
    return `${this.#host} port ${this.#port}`
  }

  #encode(): Uint8Array {
    const { idleTimeoutMs, rcvWnd } = this.#endpoint.options
    return encodeHello({
      nonce: this.#nonce,
      flags: 0,
      idleTimeoutMs,
      window: rcvWnd,
      token: this.#token,
      key: this.#exchange.hello,
    })
  }

  #sendHello(): void {
    const { clock } = this.#endpoint
    this.#endpoint.send(this.#hello, 0, this.#hello.length, this.#address, this.#port)
    this.#cancelRetry?.()
    this.#cancelRetry = clock.setTimer(this.#retryMs, () => {
      this.#retryMs = Math.min(this.#retryMs * 1.5, MAX_RETRY_MS)
      if (this.#token.length > 0 && ++this.#tokenTries === MAX_TOKEN_TRIES) this.#useToken(NO_TOKEN)
      this.#sendHello()
    })
  }

  #deliver(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    endpoint.counters.datagramsIn += 1
    endpoint.counters.bytesIn += bytes.length
    if (bytes.length > MAX_DATAGRAM_BYTES) {
      endpoint.drop('tooLong')
      return
    }
    const kind = bytes[0] ?? 0
    if (kind >= FIRST_SEALED_KIND && kind <= LAST_SEALED_KIND) {
      this.#deliverSealed(bytes, address, port)
      return
    }
    if (this.#isSettled) {
      endpoint.drop('unexpected')
      return
    }
    try {
      if (kind === KIND.retry) this.#takeRetry(bytes)
      else if (kind === KIND.accept) this.#takeAccept(bytes)
      else if (kind === KIND.refuse) this.#takeRefuse(bytes)
      else endpoint.drop(bytes.length === 0 ? 'tooShort' : 'unknownKind')
    } catch (error) {
      // Not even a security of the caller's may end the process at what a stranger sends.
      endpoint.drop('malformed')
      endpoint.options.logger.debug('an answer made the handshake throw', {
        message: (error as Error).message,
      })
    }
  }

  #deliverSealed(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    const conversation = this.#conversation
    if (bytes.length < 5) endpoint.drop('tooShort')
    else if (conversation === undefined || readConv(bytes) !== conversation.kcp.conv)
      endpoint.drop('unknownConv')
    else if (conversation.state !== 'closed') conversation.handle(bytes, address, port)
    else {
      endpoint.drop('closedConv')
      const answer = this.#timeWait.answer(readConv(bytes), bytes.length)
      if (answer !== undefined) endpoint.send(answer, 0, answer.length, address, port)
    }
  }

  #takeRetry(bytes: Uint8Array): void {
    const token = decodeRetry(bytes, this.#nonce)
    // A second RETRY answers a hello that was repeated or doubled: the first token is as good.
    if (token === undefined || this.#token.length > 0) {
      this.#endpoint.drop('unexpected')
      return
    }
    this.#useToken(token)
    this.#retryMs = FIRST_RETRY_MS
    this.#sendHello()
  }

  #useToken(token: Uint8Array): void {
    this.#token = token
    this.#tokenTries = 0
    this.#hello = this.#encode()
  }

  #takeRefuse(bytes: Uint8Array): void {
    const reason = decodeRefuse(bytes, this.#nonce)
    if (reason === undefined || this.#token.length === 0) this.#endpoint.drop('unexpected')
    else this.#fail(new KcpError('KCP_REFUSED', `${this.#where}: ${REFUSALS[reason]}`))
  }

  #takeAccept(bytes: Uint8Array): void {
    const endpoint = this.#endpoint
    const header = decodeAcceptHeader(bytes, this.#nonce)
    if (header === undefined || this.#token.length === 0) {
      endpoint.drop('unexpected')
      return
    }
    const { conv, reply, bodyStart } = header
    const cipher = this.#exchange.finish(reply, this.#hello)
    const end = cipher?.open(bytes, 0, bodyStart, bytes.length, 0) ?? -1
    // Forged, or spoilt on the way: the right one may still come.
    if (cipher === undefined || end - bodyStart !== ACCEPT_BODY_BYTES) {
      endpoint.drop('notAuthentic')
      return
    }
    // The listener is who it is, and may say anything for all that.
    const { options } = endpoint
    const idleTimeoutMs = agreedIdleTimeoutMs(options.idleTimeoutMs, readU32(bytes, bodyStart))
    const window = Math.max(1, readU16(bytes, bodyStart + 4))
    const maxAckDelayMs = Math.min(readU16(bytes, bodyStart + 6), MAX_ACK_DELAY_MS)
    this.#open({ conv, cipher, idleTimeoutMs, window, maxAckDelayMs })
  }

  #open(agreed: {
    readonly conv: number
    readonly cipher: DatagramCipher
    readonly idleTimeoutMs: number
    readonly window: number
    readonly maxAckDelayMs: number
  }): void {
    const endpoint = this.#endpoint
    const now = endpoint.now()
    const registry: Registry = {
      onEstablished: () => {},
      onLeave: (conversation) => this.#left(conversation),
      onUnanswered: ({ address, port }) => this.#reopener.reopen(address, port),
    }
    const peer = { address: this.#address, port: this.#port, isClient: true }
    const conversation = new SafeConversation(endpoint, registry, { ...agreed, ...peer }, now)
    this.#conversation = conversation
    endpoint.counters.opened += 1
    const session = new KcpSession(conversation)
    countersOf.set(session, endpoint.counters)
    this.#settle()
    this.#resolve(session)
    conversation.start(now)
  }

  #left(conversation: SafeConversation): void {
    const endpoint = this.#endpoint
    const now = endpoint.now()
    this.#signal?.removeEventListener('abort', this.#abort)
    const answer = conversation.lastWord()
    const untilMs = now + LINGER_MS
    this.#timeWait.add(conversation.kcp.conv, { untilMs, answer }, now)
    endpoint.socket.unref?.()
    endpoint.clock.setTimer(LINGER_MS, () => void endpoint.socket.close())
  }

  #failedSend(error: Error): void {
    this.#endpoint.options.logger.debug('socket error', { message: error.message })
    if (tellsOfLostWay(error)) this.#reopener.reopen(this.#address, this.#port)
    if ((error as { code?: string }).code !== 'ECONNREFUSED') return
    const conversation = this.#conversation
    // A network through which nothing was heard yet may have no way there, and a router that says it like this.
    if (conversation !== undefined && conversation.lastHeardMs > this.#replacedMs)
      conversation.refused(this.#endpoint.now())
    if (this.#isSettled) return
    this.#refusals += 1
    if (this.#refusals < MAX_REFUSALS) {
      this.#cancelRetry?.()
      this.#cancelRetry = this.#endpoint.clock.setTimer(REFUSED_RETRY_MS, () => this.#sendHello())
      return
    }
    const cause = { cause: error }
    this.#fail(new KcpError('KCP_CONNECT_FAILED', `${this.#where}: nobody listens`, cause))
  }

  #aborted(): void {
    if (this.#conversation === undefined) this.#fail(this.#signal?.reason)
    else this.#conversation.destroy(1006, 'aborted', new KcpError('KCP_CLOSED', 'aborted'))
  }

  #fail(error: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#signal?.removeEventListener('abort', this.#abort)
    void this.#endpoint.socket.close()
    this.#reject(error)
  }

  #settle(): void {
    this.#isSettled = true
    this.#cancelRetry?.()
    this.#cancelTimeout?.()
  }
}
