import { KcpError } from '../errors.ts'
import { KCP_CLOSE } from './close-codes.ts'
import { ConvFilter } from './flood/conv-filter.ts'
import { addCounters, newCounters, type KcpCounters } from './counters.ts'
import type { DatagramSocket } from './datagram-socket.ts'
import {
  ACCEPT_BODY_BYTES,
  classify,
  encodeAcceptHeader,
  readConv,
  writeU16,
  writeU32,
  type Hello,
  type RefuseReason,
} from './datagram.ts'
import { Endpoint } from './endpoint.ts'
import { Handshakes } from './handshakes.ts'
import { HostCounts } from './host-counts.ts'
import {
  DEFAULT_FORWARDS_PER_SECOND,
  resolveLimits,
  type KcpListenOptions,
  type KcpWorker,
  type ResolvedLimits,
} from './listen-options.ts'
import { openWithin } from './opening.ts'
import { checkOwner, closeAll, giveTo, rejectAfter } from './owners.ts'
import { agreedIdleTimeoutMs, resolveOptions } from './options.ts'
import { RateLimit } from './rate-limit.ts'
import { SafeConversation, type Registry } from './safe-conversation.ts'
import { LoadWatch } from './load-watch.ts'
import { TOKEN_KEY_BYTES } from './retry-tokens.ts'
import { Scrubbing } from './flood/scrubbing.ts'
import { KcpSession } from './session.ts'
import { Shelters } from './flood/shelters.ts'
import { TimeWait } from './time-wait.ts'

const EXPIRE_EVERY_MS = 1000
/** So many useless datagrams in that time are a flood, whatever they are, and for another thread to read. */
const FLOOD_DROPS = 5000

/**
 * Binds a UDP port and takes sessions on it.
 *
 * @param onSession - Called once a client's address and keys are proven.
 * @throws KcpError `KCP_LISTEN_FAILED` when the port cannot be had.
 * @throws RangeError when an option is out of range, TypeError when `onSession` is no function. An abort before that
 *   rejects with the signal's reason.
 */
export async function listen(
  options: KcpListenOptions,
  onSession: (session: KcpSession) => void,
): Promise<KcpListener> {
  checkOwner(onSession)
  const resolved = resolveOptions(options)
  const limits = resolveLimits(options)
  const { host = '0.0.0.0', port, reusePort = false, signal } = options
  const socket = await openWithin(resolved, { bind: { host, port }, reusePort }, { signal })
  return new KcpListener(new Endpoint(socket, resolved), options, limits, onSession)
}

/** A bound port and its sessions. */
export class KcpListener implements AsyncDisposable {
  readonly #endpoint: Endpoint
  readonly #limits: ResolvedLimits
  readonly #worker: KcpWorker | undefined
  readonly #forwards: RateLimit
  readonly #allow: (address: string, port: number) => boolean
  readonly #onSession: (session: KcpSession) => void
  readonly #handshakes: Handshakes
  /** By `conv | 0`: a number of 31 bits and a sign is found fastest. */
  readonly #conversations = new Map<number, SafeConversation>()
  #sessionCount = 0
  readonly #perHost = new HostCounts()
  /** Those of `#conversations` and `#timeWait`. */
  readonly #convs = new ConvFilter()
  readonly #timeWait = new TimeWait((conv) => this.#convs.delete(conv))
  readonly #shelters: Shelters
  readonly #scrubbing: Scrubbing
  readonly #load: LoadWatch
  #droppedBefore = 0
  /** In this second, by this thread. */
  #hellosDropped = 0
  readonly #registry: Registry
  #cancelExpiry: (() => void) | undefined
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => void this.close()
  #isClosed = false
  #closing: Promise<void> | undefined
  readonly #closed = Promise.withResolvers<void>()

  /** @internal Use `listen`. */
  constructor(
    endpoint: Endpoint,
    options: KcpListenOptions,
    limits: ResolvedLimits,
    onSession: (session: KcpSession) => void,
  ) {
    this.#endpoint = endpoint
    this.#limits = limits
    this.#worker = options.worker
    const perSecond = options.worker?.maxForwardsPerSecond ?? DEFAULT_FORWARDS_PER_SECOND
    this.#forwards = new RateLimit(perSecond, endpoint.now(), Math.ceil(perSecond / 10))
    this.#allow = options.allow ?? (() => true)
    this.#onSession = onSession
    this.#registry = {
      onEstablished: (conversation) => this.#establish(conversation),
      onLeave: (conversation) => this.#forget(conversation),
      onHeard: (conversation) => this.#shelters.heard(conversation),
      onMoving: (address, port) => this.#shelters.left(address, port),
    }
    const { siblings } = endpoint.socket
    const tokenKey = endpoint.random(TOKEN_KEY_BYTES)
    this.#shelters = new Shelters(siblings, (...datagram) => this.deliver(...datagram))
    endpoint.socketFor = (address, port) => this.#shelters.socketFor(address, port)
    this.#handshakes = new Handshakes(
      endpoint,
      limits,
      tokenKey,
      (...client) => this.#accept(...client),
      (nowMs) => this.#helloDropped(nowMs),
    )
    this.#scrubbing = new Scrubbing(endpoint, siblings, {
      rules: {
        maxRetriesPerSecond: limits.maxRetriesPerSecond,
        tokenKey,
        // Datagrams of other workers' sessions are to be forwarded.
        convs: options.worker === undefined ? this.#convs.shared : undefined,
      },
      usePort: (socket) => this.#usePort(socket),
      onFlood: (nowMs) => this.#shelters.flooded(nowMs),
    })
    this.#usePort(endpoint.socket)
    this.#load = new LoadWatch(endpoint.clock, (isBusy) => {
      endpoint.ackDelayMs = isBusy ? limits.maxAckDelayMs : 0
    })
    tellSmallBuffer(endpoint)
    this.#expireLater()
    this.#signal = options.signal
    if (this.#signal?.aborted === true) this.#onAbort()
    else this.#signal?.addEventListener('abort', this.#onAbort)
  }

  get address(): string {
    return this.#endpoint.socket.address
  }
  get port(): number {
    return this.#endpoint.socket.port
  }
  /** Sessions that are open or closing. */
  get sessions(): readonly KcpSession[] {
    const owners = [...this.#conversations.values()].map(({ owner }) => owner)
    return owners.flatMap((owner) => (owner === undefined ? [] : [owner.session]))
  }
  get sessionCount(): number {
    return this.#sessionCount
  }

  /** What has gone through this port, and what was dropped for which reason. */
  counters(): KcpCounters {
    const sum = newCounters()
    addCounters(sum, this.#endpoint.counters)
    addCounters(sum, this.#scrubbing.counters)
    return sum
  }

  /** Takes a datagram as if it had come by the socket: what another worker forwards, or a relay. Any bytes may come. */
  deliver(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    endpoint.counters.datagramsIn += 1
    endpoint.counters.bytesIn += bytes.length
    const what = classify(bytes)
    if (what === 'sealed') this.#deliverSealed(bytes, address, port)
    else if (what === 'hello') this.#handshakes.answer(bytes, address, port)
    else endpoint.drop(what)
  }

  /**
   * Closes the sessions and then the port. Safe to call twice.
   *
   * @param options.sessions - `keep` leaves open sessions open: only nobody new is taken, and the port is
   *   given back when the last has ended.
   */
  close(options: { readonly sessions?: 'close' | 'keep' } = {}): Promise<void> {
    this.#isClosed = true
    if (options.sessions === 'keep') {
      this.#closeIfUnused()
      return Promise.resolve()
    }
    return (this.#closing ??= this.#close())
  }

  /** Resets all sessions and closes the port, at once. */
  abort(): Promise<void> {
    this.#isClosed = true
    const thrown = this.#resetAll('aborted')
    this.#closing ??= this.#closeSocket()
    return rejectAfter(this.#closing, thrown)
  }

  /** Settles once the port has been given back, whichever way that came about. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const thrown = await closeAll(this.sessions, KCP_CLOSE.goingAway, 'going away')
    // Clients that have been accepted and have said nothing yet believe that they have a session.
    thrown.push(...this.#resetAll('going away'))
    await rejectAfter(this.#closeSocket(), thrown)
  }

  /** Gives what the owners of sessions throw: one of them keeps none of the others open. */
  #resetAll(reason: string): unknown[] {
    const thrown: unknown[] = []
    for (const conversation of [...this.#conversations.values()]) {
      try {
        conversation.destroy(KCP_CLOSE.lost, reason, new KcpError('KCP_CLOSED', reason))
      } catch (error) {
        thrown.push(error)
      }
    }
    return thrown
  }

  #helloDropped(nowMs: number): void {
    this.#shelters.flooded(nowMs)
    this.#hellosDropped += 1
    if (this.#hellosDropped === FLOOD_DROPS) this.#scrubbing.look(true, true)
  }

  /** The port is read by this socket from now on. */
  #usePort(socket: DatagramSocket): void {
    const { logger } = this.#endpoint.options
    socket.onDatagram = (...datagram) => this.deliver(...datagram)
    socket.onError = ({ message }) => logger.debug('socket error', { message })
    this.#endpoint.socket = socket
  }

  async #closeSocket(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#cancelExpiry?.()
    this.#load.stop()
    this.#shelters.close()
    this.#endpoint.turns.wheel.clear()
    try {
      await this.#scrubbing.closePort()
    } finally {
      this.#closed.resolve()
    }
  }

  #closeIfUnused(): void {
    if (this.#isClosed && this.#conversations.size === 0) this.#closing ??= this.#closeSocket()
  }

  #deliverSealed(bytes: Uint8Array, address: string, port: number): void {
    const endpoint = this.#endpoint
    const conv = readConv(bytes)
    const conversation = this.#conversations.get(conv | 0)
    if (conversation !== undefined) {
      conversation.handle(bytes, address, port)
      return
    }
    const worker = this.#worker
    if (worker !== undefined && conv % worker.count !== worker.index) {
      if (this.#forwards.take(endpoint.now()))
        worker.forward(conv % worker.count, bytes, address, port)
      else endpoint.drop('forwardRate')
      return
    }
    if (!this.#timeWait.has(conv)) {
      endpoint.drop('unknownConv')
      return
    }
    endpoint.drop('closedConv')
    const answer = this.#timeWait.answer(conv, bytes.length)
    if (answer !== undefined) endpoint.send(answer, 0, answer.length, address, port)
  }

  #accept(
    hello: Hello,
    transcript: Uint8Array,
    address: string,
    port: number,
    now: number,
  ): Uint8Array | RefuseReason {
    const { maxSessions, maxSessionsPerAddress } = this.#limits
    if (this.#conversations.size >= maxSessions) return 'full'
    if (this.#perHost.of(address) >= maxSessionsPerAddress) return 'full'
    if (this.#isClosed) return 'refused'
    try {
      // Also an answer that is a promise lets nobody in.
      if (this.#allow(address, port) !== true) return 'refused'
      return this.#begin(hello, transcript, address, port, now)
    } catch (error) {
      // Nothing of the caller's may end the process at what a stranger sends.
      this.#endpoint.options.logger.warn('a hello made the handshake throw', {
        message: (error as Error).message,
      })
      return 'key'
    }
  }

  #begin(
    hello: Hello,
    transcript: Uint8Array,
    address: string,
    port: number,
    now: number,
  ): Uint8Array | RefuseReason {
    const endpoint = this.#endpoint
    const { options } = endpoint
    const agreed = options.security.accept(hello.key, transcript, endpoint.random)
    if (agreed === undefined) return 'key'
    const { cipher, reply } = agreed
    const conv = this.#newConv()
    const idleTimeoutMs = agreedIdleTimeoutMs(options.idleTimeoutMs, hello.idleTimeoutMs)
    const header = encodeAcceptHeader(
      hello.nonce,
      conv,
      reply,
      ACCEPT_BODY_BYTES + cipher.overheadBytes,
    )
    const { bytes, bodyStart } = header
    if (bytes.length > transcript.length) return 'key'
    writeU32(bytes, bodyStart, idleTimeoutMs)
    writeU16(bytes, bodyStart + 4, options.rcvWnd)
    writeU16(bytes, bodyStart + 6, this.#limits.maxAckDelayMs)
    cipher.seal(bytes, 0, bodyStart, bodyStart + ACCEPT_BODY_BYTES, 0)
    const conversation = new SafeConversation(
      endpoint,
      this.#registry,
      { conv, address, port, cipher, isClient: false, window: hello.window, idleTimeoutMs },
      now,
    )
    this.#conversations.set(conv | 0, conversation)
    this.#convs.add(conv)
    this.#perHost.add(address)
    conversation.start(now)
    return bytes
  }

  /** Random, never 0, of no session now or a short while ago, and this worker's. */
  #newConv(): number {
    const count = this.#worker?.count ?? 1
    const index = this.#worker?.index ?? 0
    for (;;) {
      const [a, b, c, d] = this.#endpoint.random(4)
      const drawn = (a! | (b! << 8) | (c! << 16) | (d! << 24)) >>> 0
      const conv = drawn - (drawn % count) + index
      if (conv === 0 || conv > 0xffff_ffff) continue
      if (!this.#conversations.has(conv | 0) && !this.#timeWait.has(conv)) return conv
    }
  }

  #establish(conversation: SafeConversation): void {
    this.#endpoint.counters.opened += 1
    this.#sessionCount += 1
    giveTo(this.#onSession, new KcpSession(conversation), conversation)
  }

  #forget(conversation: SafeConversation): void {
    const { conv } = conversation.kcp
    const now = this.#endpoint.now()
    this.#conversations.delete(conv | 0)
    if (conversation.owner !== undefined) this.#sessionCount -= 1
    this.#perHost.delete(conversation.firstAddress)
    const untilMs = now + 2 * this.#endpoint.options.idleTimeoutMs
    const answer = conversation.lastWord()
    this.#timeWait.add(conv, { untilMs, answer }, now)
    this.#shelters.left(conversation.address, conversation.port)
    if (this.#isClosed) this.#endpoint.clock.defer(() => this.#closeIfUnused())
  }

  #expireLater(): void {
    this.#cancelExpiry = this.#endpoint.clock.setTimer(EXPIRE_EVERY_MS, () => {
      const now = this.#endpoint.now()
      this.#timeWait.expire(now)
      const dropped = Object.values(this.counters().dropped).reduce((a, b) => a + b, 0)
      const isMuch = dropped - this.#droppedBefore > FLOOD_DROPS
      this.#droppedBefore = dropped
      this.#hellosDropped = 0
      if (isMuch) this.#shelters.flooded(now)
      this.#shelters.expire(now)
      this.#scrubbing.look(isMuch, this.#shelters.isFlooded)
      this.#handshakes.expire(now)
      this.#expireLater()
    })
  }
}

/** A queue that is too short drops datagrams whenever the process is busy for a moment. */
function tellSmallBuffer({ socket, options }: Endpoint): void {
  const asked = options.socketBufferBytes
  const given = socket.receiveBufferBytes
  if (given === undefined || given >= asked) return
  options.logger.warn('the system gives less room for received datagrams than asked for', {
    asked,
    given,
  })
}
