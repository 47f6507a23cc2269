import { Channel, type DeliveredFrame } from './channel.ts'
import { systemClock, type Clock } from './clock.ts'
import { closeKind, linkCloseKind, type CloseKind } from './close-codes.ts'
import {
  CLOSED_BY_CLIENT,
  HANDSHAKE_TIMEOUT,
  LINK_LOST,
  PROTOCOL_ERROR,
  SLOW_CONSUMER,
  TICKET_FAILED,
  VERSION_UNSUPPORTED,
} from './shared-codes.ts'
import { SessionError } from './errors.ts'
import { Emitter } from './events.ts'
import {
  CODECS,
  COMPRESSIONS,
  INSTANCE_BYTES,
  FRAME_OVERHEAD_BYTES,
  MAX_HANDSHAKE_BYTES,
  PROTOCOL,
  type ReliableFrame,
  type ResumedFrame,
  type RouteFrame,
  type StateFrame,
  type Terms,
  type WelcomeFrame,
} from './frame.ts'
import { decodeServerFrame } from './frame-decoder.ts'
import { encodeClientFrame } from './frame-encoder.ts'
import { HeldLink } from './held-link.ts'
import { laneLimits, requireWhole, type LaneLimits } from './limits.ts'
import type { SessionLink } from './link.ts'
import { Pacer } from './pacer.ts'
import { systemRandom, type Random } from './random.ts'
import type { Lane, RouteInfo, RouteState } from './routes.ts'
import type { SessionStats } from './stats.ts'

export interface ClientSessionOptions {
  readonly clock?: Clock
  readonly random?: Random
  /** The login ticket; asked for at each `hello`, which is each link until one has been welcomed. */
  readonly ticket: () => string | Promise<string>
  /**
   * Milliseconds from `attach` to the server's answer, the ticket included; a resume is given no more
   * than the server's heartbeat timeout. From 1. @defaultValue 10000
   */
  readonly openTimeoutMs?: number
  readonly limits?: Partial<LaneLimits>
  /** Gets what a listener throws. The default throws it again after this turn. */
  readonly onError?: (error: unknown) => void
}

export interface ClientSessionEvents {
  opened: { id: string }
  /**
   * The session goes on over a new link. `recovered: false`: both lanes started clean, `lost`
   * reliable frames of this end may not have arrived, and every bound route is lost (`route` events
   * follow) until the server binds it again.
   */
  resumed: { recovered: boolean; lost: number }
  /** The link is gone and the session waits: dial again and `attach`. */
  lost: { code: number; reason: string }
  /**
   * This session is over, for good. `fresh`: log in with a new `ClientSession`. `stop`: tell the
   * player. `lost`: reliable frames of this end that were not acknowledged.
   */
  closed: { code: number; reason: string; kind: CloseKind; lost: number }
  /** A frame from the server. `payload` is valid only during the call. */
  message: { route: string; payload: Uint8Array; lane: Lane; epoch: number }
  route: { name: string; epoch: number; state: RouteState }
  /** `send` had returned false and may go on. */
  drain: undefined
  rtt: { rttMs: number; smoothedMs: number }
}

/** Names of routes a server may announce to one session. */
const MAX_ROUTES = 256
const UNBOUND: RouteInfo = { epoch: 0, state: 'unbound' }

/** The player's end of a session: one login, over as many links as it takes. */
export class ClientSession {
  readonly #clock: Clock
  readonly #ticket: () => string | Promise<string>
  readonly #openTimeoutMs: number
  readonly #instance: Uint8Array
  readonly #channel: Channel
  readonly #events: Emitter<ClientSessionEvents>
  readonly #routes = new Map<string, RouteInfo>()
  readonly #names = new Map<number, string>()
  #state: 'idle' | 'opening' | 'open' | 'waiting' | 'closed' = 'idle'
  /** The link of an unfinished handshake; the channel holds it afterwards. */
  #opening: HeldLink | undefined
  #cancelDeadline: (() => void) | undefined
  /** Counts the links attached. */
  #attempt = 0
  #id: string | undefined
  #token: Uint8Array | undefined
  #protocol = PROTOCOL.max
  #codec = ''
  #compression = ''
  #terms: Terms | undefined
  #pacer: Pacer | undefined
  #routeEpoch = 0

  constructor(options: ClientSessionOptions) {
    const { clock = systemClock, random = systemRandom, openTimeoutMs = 10_000 } = options
    requireWhole('openTimeoutMs', openTimeoutMs, 1)
    this.#clock = clock
    this.#ticket = options.ticket
    this.#instance = random(INSTANCE_BYTES).slice()
    this.#openTimeoutMs = openTimeoutMs
    this.#events = new Emitter(
      options.onError ??
        ((error) =>
          clock.defer(() => {
            throw error
          })),
    )
    this.#channel = new Channel(clock, random, laneLimits(options.limits), {
      decode: decodeServerFrame,
      deliver: (frame) => this.#deliver(frame),
      admit: undefined,
      linkLost: (code, reason) => this.#linkLost(code, reason),
      failed: (code, reason) => this.#end(code, reason),
      drained: () => this.#events.emit('drain', undefined),
      measured: (rttMs, smoothedMs) => this.#events.emit('rtt', { rttMs, smoothedMs }),
    })
  }

  get state(): 'idle' | 'opening' | 'open' | 'waiting' | 'closed' {
    return this.#state
  }

  get id(): string | undefined {
    return this.#id
  }

  /** What the server asks of this client, once it has said so. */
  get terms(): Terms | undefined {
    return this.#terms
  }

  on<Name extends keyof ClientSessionEvents>(
    event: Name,
    listener: (payload: ClientSessionEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener)
  }

  stats(): SessionStats {
    const { traffic, outbox, rttMs } = this.#channel
    const { unackedFrames, unackedBytes } = outbox
    return { ...traffic.snapshot(), unackedFrames, unackedBytes, rttMs }
  }

  route(name: string): RouteInfo {
    return this.#routes.get(name) ?? UNBOUND
  }

  /**
   * Goes on over a freshly dialled link: `hello` the first time, `resume` once there is a token. A
   * new link always beats an old one, whatever state that is in.
   */
  attach(link: SessionLink): void {
    const held: HeldLink = new HeldLink(link, {
      message: (bytes) => this.#answered(held, bytes),
      drained: () => {},
      closed: (code, reason) => this.#linkLost(code, reason),
    })
    if (this.#state === 'closed') {
      held.drop(CLOSED_BY_CLIENT, 'the session is closed')
      return
    }
    this.#letGo()?.drop(LINK_LOST, 'a newer link took over')
    this.#state = 'opening'
    this.#opening = held
    this.#attempt += 1
    // A server that was heard before counts as silent after the time it has said itself.
    const timeoutMs = Math.min(this.#openTimeoutMs, this.#terms?.heartbeatTimeoutMs ?? Infinity)
    this.#cancelDeadline = this.#clock.setTimer(timeoutMs, () => {
      this.#letGo()?.close(HANDSHAKE_TIMEOUT, 'no answer to the handshake')
      this.#linkLost(LINK_LOST, `no answer within ${timeoutMs} ms`)
    })
    if (this.#token === undefined) this.#askTicket(held)
    else this.#sendResume(held, this.#token)
  }

  /**
   * Sends a frame along a bound route; the payload is copied. On the reliable lane it is kept until
   * acknowledged, across links. A frame for a route that is not bound, or after the end of the
   * session, is dropped and counted.
   *
   * @returns `false` when the caller should wait for `drain`, or the frame was dropped.
   * @throws SessionError `SESSION_FRAME_TOO_LARGE`
   */
  send(route: string, payload: Uint8Array, lane: Lane = 'reliable', key = 0): boolean {
    const max = this.#terms?.maxFrameBytes ?? Infinity
    if (payload.length + FRAME_OVERHEAD_BYTES > max) {
      throw new SessionError(
        'SESSION_FRAME_TOO_LARGE',
        `a payload of ${payload.length} bytes, frames to the server have at most ${max}`,
      )
    }
    const info = this.#routes.get(route)
    if (this.#state === 'closed' || info?.state !== 'bound') {
      this.#channel.traffic.staleRoute += 1
      return false
    }
    return lane === 'state'
      ? this.#channel.outbox.sendState(info.epoch, key, payload)
      : this.#channel.outbox.sendReliable(info.epoch, payload)
  }

  /** Ends the session, here and at the server. Safe to call twice. */
  close(reason = 'closed by the client'): void {
    this.#end(CLOSED_BY_CLIENT, reason)
  }

  #askTicket(held: HeldLink): void {
    const failed = (error: unknown): void => {
      if (this.#opening !== held) return
      const code = (error as { code?: unknown } | undefined)?.code
      const reason = typeof code === 'string' ? code : 'no ticket could be had'
      this.#letGo()?.close(TICKET_FAILED, 'no ticket')
      this.#linkLost(TICKET_FAILED, reason)
    }
    const proceed = (ticket: string): void => {
      if (this.#opening !== held) return
      try {
        this.#sendHello(held, ticket)
      } catch (error) {
        failed(error)
      }
    }
    try {
      const ticket = this.#ticket()
      if (typeof ticket === 'string') proceed(ticket)
      else ticket.then(proceed, failed)
    } catch (error) {
      failed(error)
    }
  }

  #sendHello(held: HeldLink, ticket: string): void {
    const hello = encodeClientFrame({
      type: 'hello',
      minProtocol: PROTOCOL.min,
      maxProtocol: PROTOCOL.max,
      codecs: CODECS,
      compressions: COMPRESSIONS,
      instance: this.#instance,
      attempt: this.#attempt,
      ticket,
    })
    if (hello.length > MAX_HANDSHAKE_BYTES) {
      throw new RangeError(`a hello of ${hello.length} bytes, at most ${MAX_HANDSHAKE_BYTES}`)
    }
    held.send(hello)
  }

  #sendResume(held: HeldLink, token: Uint8Array): void {
    held.send(
      encodeClientFrame({
        type: 'resume',
        protocol: this.#protocol,
        codec: this.#codec,
        compression: this.#compression,
        sessionId: this.#id ?? '',
        token,
        attempt: this.#attempt,
        lastReceived: this.#channel.lastReceived,
        reset: this.#channel.outbox.isBroken(),
        routeEpoch: this.#routeEpoch,
      }),
    )
  }

  /** The server's answer to `hello` or `resume`. */
  #answered(held: HeldLink, bytes: Uint8Array): void {
    const frame = bytes.length > MAX_HANDSHAKE_BYTES ? undefined : decodeServerFrame(bytes)
    if (frame?.type === 'bye') {
      this.#closedBy(frame.code, frame.reason)
    } else if (frame?.type === 'welcome' && this.#token === undefined) {
      this.#welcomed(held, frame)
    } else if (frame?.type === 'resumed' && this.#token !== undefined) {
      this.#resumed(held, frame)
    } else {
      this.#end(PROTOCOL_ERROR, 'not an answer to the handshake')
    }
  }

  #welcomed(held: HeldLink, frame: WelcomeFrame): void {
    const isSpoken =
      frame.protocol >= PROTOCOL.min &&
      frame.protocol <= PROTOCOL.max &&
      CODECS.includes(frame.codec) &&
      COMPRESSIONS.includes(frame.compression)
    if (!isSpoken) {
      this.#end(VERSION_UNSUPPORTED, 'the server chose what was not offered')
      return
    }
    this.#id = frame.sessionId
    this.#protocol = frame.protocol
    this.#codec = frame.codec
    this.#compression = frame.compression
    this.#open(held, frame.token, frame.terms)
    this.#events.emit('opened', { id: frame.sessionId })
    this.#start(held)
  }

  #resumed(held: HeldLink, frame: ResumedFrame): void {
    const canGoOn =
      frame.lastReceived !== undefined && this.#channel.outbox.resumeFrom(frame.lastReceived)
    if (frame.recovered && !canGoOn) {
      if (this.#channel.outbox.isBroken()) {
        // Frames grew too old while the answer was on its way: the next resume asks for a clean start.
        this.#letGo()?.close(SLOW_CONSUMER, 'a frame was unacknowledged for too long')
        this.#linkLost(SLOW_CONSUMER, 'a frame was unacknowledged for too long')
      } else {
        this.#end(PROTOCOL_ERROR, 'an acknowledgement of a frame never sent')
      }
      return
    }
    const lost = frame.recovered ? 0 : this.#channel.reset()
    this.#open(held, frame.token, frame.terms)
    const bound = frame.recovered ? [] : this.#loseRoutes()
    this.#events.emit('resumed', { recovered: frame.recovered, lost })
    for (const route of bound) this.#events.emit('route', route)
    this.#start(held)
  }

  #open(held: HeldLink, token: Uint8Array, terms: Terms): void {
    this.#cancelDeadline?.()
    this.#opening = undefined
    this.#state = 'open'
    this.#token = token.slice()
    if (this.#pacer === undefined || !isSame(terms, this.#terms)) {
      this.#pacer = new Pacer(terms, this.#clock.now())
    }
    this.#terms = terms
    this.#channel.open(held, terms, terms.maxServerFrameBytes, this.#pacer)
  }

  /** Lets frames leave. The acknowledgement makes the server retire the older token at once. */
  #start(held: HeldLink): void {
    if (this.#channel.isOn(held)) this.#channel.uncork()
    if (this.#channel.isOn(held)) this.#channel.acknowledge()
  }

  #loseRoutes(): { name: string; epoch: number; state: RouteState }[] {
    const lost: { name: string; epoch: number; state: RouteState }[] = []
    for (const [name, { epoch, state }] of this.#routes) {
      if (state !== 'bound') continue
      this.#routes.set(name, { epoch, state: 'lost' })
      lost.push({ name, epoch, state: 'lost' })
    }
    this.#names.clear()
    return lost
  }

  #deliver(frame: DeliveredFrame): void {
    switch (frame.type) {
      case 'reliable':
      case 'state':
        this.#deliverData(frame)
        break
      case 'route':
        this.#routeChanged(frame)
        break
      case 'token':
        this.#token = frame.token.slice()
        break
      case 'bye':
        this.#closedBy(frame.code, frame.reason)
        break
      default:
        this.#end(PROTOCOL_ERROR, `a ${frame.type} inside a session`)
    }
  }

  #deliverData(frame: ReliableFrame | StateFrame): void {
    const { epoch, payload, type } = frame
    const route = this.#names.get(epoch)
    if (route === undefined) this.#channel.traffic.staleRoute += 1
    else this.#events.emit('message', { route, payload, lane: type, epoch })
  }

  #routeChanged({ name, epoch, state }: RouteFrame): void {
    const old = this.#routes.get(name)
    if (epoch <= this.#routeEpoch || (old === undefined && this.#routes.size >= MAX_ROUTES)) {
      this.#end(PROTOCOL_ERROR, 'a route announced out of order or too many of them')
      return
    }
    if (old !== undefined) {
      this.#names.delete(old.epoch)
      this.#channel.outbox.endEpoch(old.epoch)
    }
    this.#routeEpoch = epoch
    this.#routes.set(name, { epoch, state })
    if (state === 'bound') this.#names.set(epoch, name)
    this.#events.emit('route', { name, epoch, state })
  }

  /** The server closed with a code that says what to do. */
  #closedBy(code: number, reason: string): void {
    this.#letGo()?.drop(code, reason)
    this.#linkLost(code, reason, closeKind(code))
  }

  #linkLost(code: number, reason: string, kind: CloseKind = linkCloseKind(code)): void {
    this.#letGo()
    if (kind !== 'resume') {
      this.#end(code, reason)
      return
    }
    this.#state = 'waiting'
    this.#events.emit('lost', { code, reason })
  }

  #end(code: number, reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const held = this.#letGo()
    const lost = this.#channel.reset()
    held?.close(code, reason)
    this.#events.emit('closed', { code, reason, kind: closeKind(code), lost })
  }

  /** The link in use, if any, which is in use no more. */
  #letGo(): HeldLink | undefined {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
    const held = this.#opening ?? this.#channel.detach()
    this.#opening = undefined
    return held
  }
}

function isSame(terms: Terms, other: Terms | undefined): boolean {
  return JSON.stringify(terms) === JSON.stringify(other)
}
