import { Channel, type DeliveredFrame } from './channel.ts'
import { CLOSE, closeKind, closeName } from './close-codes.ts'
import type { Clock } from './clock.ts'
import { SessionError } from './errors.ts'
import { Emitter } from './events.ts'
import {
  CODECS,
  COMPRESSIONS,
  FRAME_OVERHEAD_BYTES,
  type HelloFrame,
  type ReliableFrame,
  type ResumeFrame,
  type StateFrame,
  type Terms,
} from './frame.ts'
import { decodeClientFrame } from './frame-decoder.ts'
import { encodeFrame } from './server-frame-encoder.ts'
import type { HeldLink } from './held-link.ts'
import type { SessionLimits } from './limits.ts'
import type { Random } from './random.ts'
import { sealRecord, type ResumeRecord, type TokenSealer } from './resume-token.ts'
import type { Lane, RouteInfo, RouteState } from './routes.ts'
import type { Identity, ServerSession, ServerSessionEvents } from './server-session.ts'
import type { CloseCounts, SessionStats, Traffic } from './stats.ts'
import { TokenBucket } from './token-bucket.ts'

/** What the sessions of one server share. */
export interface SessionHost {
  readonly clock: Clock
  readonly random: Random
  readonly limits: SessionLimits
  readonly terms: Terms
  readonly tokens: TokenSealer
  readonly tokenTtlMs: number
  readonly linkCloses: CloseCounts
  onError(error: unknown): void
  ended(session: HostedSession, code: number, reason: string): void
}

const MAX_ROUTE_NAME_BYTES = 255

/** The server's end of a session. */
export class HostedSession implements ServerSession {
  readonly id: string
  readonly account: string
  readonly identity: Identity
  readonly origin: 'login' | 'adopted'
  /** Which client it is, where a `hello` said so. */
  readonly #instance: string | undefined
  readonly #host: SessionHost
  readonly #channel: Channel
  readonly #events: Emitter<ServerSessionEvents>
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #routes = new Map<string, RouteInfo>()
  readonly #names = new Map<number, string>()
  #routeEpoch = 0
  #isClosed = false
  /** The client's count of the link in use. */
  #attempt: number
  #linkEpoch: number
  /** The newest link epoch the client has shown to know: older tokens are dead. */
  #confirmedEpoch: number
  /** Names the last clean start of the lanes: a token with another name missed it. */
  #run: number
  #cancelWindow: (() => void) | undefined
  #cancelRenewal: (() => void) | undefined

  /**
   * @param frame - What the client said to get it.
   * @param record - For an adopted session, what its token says.
   */
  constructor(
    host: SessionHost,
    id: string,
    identity: Identity,
    frame: HelloFrame | ResumeFrame,
    record?: ResumeRecord,
  ) {
    this.#host = host
    this.id = id
    this.identity = identity
    this.account = identity.account
    this.#instance = frame.type === 'hello' ? frame.instance.join() : undefined
    this.#attempt = frame.attempt
    this.origin = record === undefined ? 'login' : 'adopted'
    this.#linkEpoch = this.#confirmedEpoch = record?.linkEpoch ?? 0
    this.#run = this.#newRun()
    this.#events = new Emitter((error) => host.onError(error))
    const { limits, clock } = host
    const nowMs = clock.now()
    this.#messages = new TokenBucket(limits.messagesPerSecond, limits.messageBurst, nowMs)
    this.#bytes = new TokenBucket(limits.bytesPerSecond, limits.byteBurst, nowMs)
    this.#channel = new Channel(clock, host.random, limits, {
      decode: (bytes) => {
        const frame = decodeClientFrame(bytes)
        // A client may say bye on a link whose answer it never read; any other frame shows that it has.
        if (frame.type !== 'bye') this.#confirmedEpoch = this.#linkEpoch
        return frame
      },
      deliver: (frame) => this.#deliver(frame),
      admit: (bytes) => this.#admit(bytes),
      linkLost: (code, reason) => this.#linkLost(code, reason),
      failed: (code, reason) => this.end(code, reason),
      drained: () => this.#events.emit('drain', undefined),
      measured: (rttMs, smoothedMs) => this.#events.emit('rtt', { rttMs, smoothedMs }),
    })
  }

  get state(): 'open' | 'waiting' | 'closed' {
    if (this.#isClosed) return 'closed'
    return this.#channel.isOpen ? 'open' : 'waiting'
  }

  get linkEpoch(): number {
    return this.#linkEpoch
  }

  get routes(): ReadonlyMap<string, RouteInfo> {
    return this.#routes
  }

  get traffic(): Traffic {
    return this.#channel.traffic
  }

  on<Name extends keyof ServerSessionEvents>(
    event: Name,
    listener: (payload: ServerSessionEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener)
  }

  stats(): SessionStats {
    const { traffic, outbox, rttMs } = this.#channel
    const { unackedFrames, unackedBytes } = outbox
    return { ...traffic.snapshot(), unackedFrames, unackedBytes, rttMs }
  }

  send(route: string, payload: Uint8Array, lane: Lane = 'reliable', key = 0): boolean {
    const { maxServerFrameBytes } = this.#host.limits
    if (payload.length + FRAME_OVERHEAD_BYTES > maxServerFrameBytes) {
      throw new SessionError(
        'SESSION_FRAME_TOO_LARGE',
        `a payload of ${payload.length} bytes, frames to the player have at most ${maxServerFrameBytes}`,
      )
    }
    const info = this.#routes.get(route)
    if (this.#isClosed || info?.state !== 'bound') {
      this.traffic.staleRoute += 1
      return false
    }
    return lane === 'state'
      ? this.#channel.outbox.sendState(info.epoch, key, payload)
      : this.#channel.outbox.sendReliable(info.epoch, payload)
  }

  setRoute(name: string, state: RouteState): number {
    if (name === '' || new TextEncoder().encode(name).length > MAX_ROUTE_NAME_BYTES) {
      throw new RangeError(`a route name has 1 to ${MAX_ROUTE_NAME_BYTES} bytes, got '${name}'`)
    }
    const old = this.#routes.get(name)
    if (this.#isClosed) return old?.epoch ?? 0
    if (old !== undefined) {
      this.#names.delete(old.epoch)
      this.#channel.outbox.endEpoch(old.epoch)
    }
    const epoch = (this.#routeEpoch += 1)
    this.#routes.set(name, { epoch, state })
    if (state === 'bound') this.#names.set(epoch, name)
    this.#channel.outbox.sendRoute(epoch, (seq) =>
      encodeFrame({ type: 'route', ack: 0, stateAck: 0, seq, epoch, state, name }),
    )
    return epoch
  }

  close(code: number = CLOSE.kicked, reason = ''): void {
    if (!Number.isInteger(code) || code < 4000 || code > 4999) {
      throw new RangeError(`code must be from 4000 to 4999, got ${code}`)
    }
    this.end(code, reason)
  }

  /** Whether the client has made a newer link than the one this frame came on. */
  isAheadOf(frame: HelloFrame | ResumeFrame): boolean {
    if (frame.type === 'hello' && frame.instance.join() !== this.#instance) return false
    return frame.attempt < this.#attempt
  }

  /**
   * Whether a token of this epoch may still resume: the last confirmed one, the last issued one, or
   * a later one that another process has issued meanwhile.
   */
  accepts(linkEpoch: number): boolean {
    return linkEpoch === this.#confirmedEpoch || linkEpoch >= this.#linkEpoch
  }

  /** The oldest token epoch that is not a replay. */
  get confirmedEpoch(): number {
    return this.#confirmedEpoch
  }

  /** First link of a session opened by a ticket. `announce` tells the application. */
  welcome(link: HeldLink, protocol: number, announce: () => void): void {
    this.#take(link)
    announce()
    if (!this.#channel.isOn(link)) return
    const token = this.#issueToken()
    if (token === undefined) return
    this.#channel.uncork(
      encodeFrame({
        type: 'welcome',
        protocol,
        codec: CODECS[0] ?? '',
        compression: COMPRESSIONS[0] ?? '',
        sessionId: this.id,
        token,
        terms: this.#host.terms,
      }),
    )
  }

  /**
   * A link that showed a valid token takes over from whatever link there was.
   *
   * @param record - What the token says: what the client knows of this session.
   * @param announce - Tells the application of an adopted session; `resumed` is emitted without.
   * @returns Whether the lanes go on without a gap.
   */
  resume(link: HeldLink, frame: ResumeFrame, record: ResumeRecord, announce?: () => void): boolean {
    this.#attempt = frame.attempt
    const old = this.#channel.detach()
    if (old !== undefined) {
      old.close(CLOSE.linkSuperseded, 'a newer link took over')
      this.#host.linkCloses.count(closeName(CLOSE.linkSuperseded))
    }
    this.#confirmedEpoch = record.linkEpoch
    this.#linkEpoch = Math.max(this.#linkEpoch, record.linkEpoch)
    const isSameRun = record.run === this.#run
    const recovered =
      isSameRun && !frame.reset && this.#channel.outbox.resumeFrom(frame.lastReceived)
    const lastReceived = isSameRun ? this.#channel.lastReceived : undefined
    this.#take(link)
    const lost = recovered ? 0 : this.#startClean(frame.routeEpoch)
    if (announce === undefined) {
      this.#events.emit('resumed', { recovered, lost, linkEpoch: this.#linkEpoch })
    } else {
      announce()
    }
    const token = this.#channel.isOn(link) ? this.#issueToken() : undefined
    if (token !== undefined) {
      const { terms } = this.#host
      this.#channel.uncork(encodeFrame({ type: 'resumed', token, recovered, lastReceived, terms }))
    }
    return recovered
  }

  /** Ends the session, whatever state its link is in. */
  end(code: number, reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelTimers()
    const link = this.#channel.detach()
    const lost = this.#channel.reset()
    link?.close(code, reason)
    this.#host.ended(this, code, reason)
    this.#events.emit('closed', { code, reason, kind: closeKind(code), lost })
  }

  #take(link: HeldLink): void {
    this.#cancelTimers()
    this.#linkEpoch += 1
    this.#channel.open(link, this.#host.terms, this.#host.limits.maxFrameBytes)
    this.#armRenewal()
  }

  /** No frame goes on: the lanes start at 1, and no route is bound. */
  #startClean(clientRouteEpoch: number): number {
    this.#run = this.#newRun()
    this.#routeEpoch = Math.max(this.#routeEpoch, clientRouteEpoch)
    this.#names.clear()
    for (const [name, { epoch }] of this.#routes)
      this.#routes.set(name, { epoch, state: 'unbound' })
    return this.#channel.reset()
  }

  /** Without a token no link is worth having: when none can be sealed, the link goes. */
  #issueToken(): Uint8Array | undefined {
    const { tokens, tokenTtlMs, clock } = this.#host
    const { id: sessionId, account } = this
    const expiresAt = clock.wall() + tokenTtlMs
    try {
      const record = { sessionId, account, linkEpoch: this.#linkEpoch, run: this.#run, expiresAt }
      return sealRecord(tokens, record)
    } catch (error) {
      this.#host.onError(error)
      this.#channel.loseLink(CLOSE.authUnavailable, 'no resume token could be made')
      return undefined
    }
  }

  #newRun(): number {
    return this.#host.random(6).reduce((run, byte) => run * 256 + byte, 0)
  }

  /** A token of the same epoch with a later expiry, so that a long link does not outlive its token. */
  #armRenewal(): void {
    this.#cancelRenewal = this.#host.clock.setTimer(this.#host.tokenTtlMs / 2, () => {
      const token = this.#issueToken()
      if (token === undefined) return
      this.#channel.sendAside((acks) => encodeFrame({ type: 'token', ...acks, token }))
      this.#armRenewal()
    })
  }

  #cancelTimers(): void {
    this.#cancelWindow?.()
    this.#cancelRenewal?.()
    this.#cancelWindow = this.#cancelRenewal = undefined
  }

  #linkLost(code: number, reason: string): void {
    this.#cancelTimers()
    const name = closeName(code)
    this.#host.linkCloses.count(name === 'app' ? 'transport' : name)
    const { resumeWindowMs } = this.#host.terms
    this.#cancelWindow = this.#host.clock.setTimer(resumeWindowMs, () =>
      this.end(CLOSE.sessionExpired, `no new link within ${resumeWindowMs} ms`),
    )
    this.#events.emit('lost', { code, reason, linkEpoch: this.#linkEpoch })
  }

  #admit(bytes: number): boolean {
    const nowMs = this.#host.clock.now()
    return this.#messages.take(1, nowMs) && this.#bytes.take(bytes, nowMs)
  }

  #deliver(frame: DeliveredFrame): void {
    switch (frame.type) {
      case 'reliable':
      case 'state':
        this.#deliverData(frame)
        break
      case 'bye':
        if (frame.code === CLOSE.closedByClient) {
          this.end(frame.code, frame.reason)
        } else {
          this.#channel.detach()?.drop(frame.code, frame.reason)
          this.#linkLost(frame.code, frame.reason)
        }
        break
      default:
        this.end(CLOSE.protocolError, `a ${frame.type} inside a session`)
    }
  }

  #deliverData(frame: ReliableFrame | StateFrame): void {
    const { epoch, payload, type } = frame
    const route = this.#names.get(epoch)
    if (route !== undefined) {
      this.#events.emit('message', { route, payload, epoch, lane: type })
    } else if (epoch > this.#routeEpoch) {
      this.end(CLOSE.protocolError, 'a route epoch that was never announced')
    } else {
      this.traffic.staleRoute += 1
    }
  }
}
