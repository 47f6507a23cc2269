import { systemClock, type Clock } from './clock.ts'
import { CLOSE, closeKind, closeName } from './close-codes.ts'
import { Emitter } from './events.ts'
import type { HelloFrame, ResumeFrame, Terms } from './frame.ts'
import { Handshake, type AuthenticateContext, type HandshakeHost } from './handshake.ts'
import { HostedSession, type SessionHost } from './hosted-session.ts'
import { requireWhole, sessionLimits, type SessionLimits } from './limits.ts'
import type { SessionLink } from './link.ts'
import { systemRandom, type Random } from './random.ts'
import { openToken, type ResumeRecord, type TokenSealer } from './resume-token.ts'
import type { Identity, ServerSession } from './server-session.ts'
import { addTraffic, CloseCounts, Traffic, type ServerStats } from './stats.ts'
import { Tombstones } from './tombstones.ts'

export interface SessionServerOptions {
  readonly clock?: Clock
  readonly random?: Random
  /**
   * Turns a ticket into an account. An error with a string `code` is told to the player as the close
   * reason (`authRefused`; with `retryable: true` on it `authUnavailable`), one without is not.
   */
  authenticate(ticket: string, context: AuthenticateContext): Identity | Promise<Identity>
  readonly tokens: TokenSealer
  /**
   * Asked when a valid token names a session that is unknown here. An identity of the same account
   * makes the session again under the same id, with `recovered: false`; `undefined` refuses.
   * Nobody here can know whether the token was replayed: compare `record.linkEpoch` with what the
   * processes share.
   */
  adopt?(
    record: ResumeRecord,
    context: AuthenticateContext,
  ): Identity | undefined | Promise<Identity | undefined>
  /** Milliseconds a session outlives its link. From 0. @defaultValue 60000 */
  readonly resumeWindowMs?: number
  /** Milliseconds a token is valid; renewed at half. From twice the window. @defaultValue 600000 */
  readonly tokenTtlMs?: number
  /** Milliseconds a new link may take to send its first frame. From 1. @defaultValue 3000 */
  readonly handshakeTimeoutMs?: number
  /** Milliseconds `authenticate` and `adopt` may take. From 1. @defaultValue 5000 */
  readonly authTimeoutMs?: number
  /** Milliseconds between pings, both ways. From 100. @defaultValue 5000 */
  readonly heartbeatMs?: number
  /** Milliseconds of silence after which a link is dead. From `heartbeatMs`. @defaultValue 2.5 × heartbeatMs */
  readonly heartbeatTimeoutMs?: number
  /** Sessions, waiting ones included. From 1. @defaultValue 10000 */
  readonly maxSessions?: number
  /** Links that are not yet a session. From 1. @defaultValue 1024 */
  readonly maxPendingHandshakes?: number
  readonly limits?: Partial<SessionLimits>
  /** Gets what a listener throws. The default throws it again after this turn. */
  readonly onError?: (error: unknown) => void
}

export interface SessionServerEvents {
  /** A session is there: set its routes and listen. It can be sent to; `welcome` leaves first. */
  session: ServerSession
}

/** Route epochs a client may claim to have seen. */
const MAX_ROUTE_EPOCH = 0x3fff_ffff
const SESSION_ID_BYTES = 16
const MAX_ACCOUNT_BYTES = 255

/** The sessions of one process: gives it links, makes sessions of them, and keeps these. */
export class SessionServer {
  readonly #options: SessionServerOptions
  readonly #host: SessionHost
  readonly #handshakes: HandshakeHost
  readonly #maxSessions: number
  readonly #maxPending: number
  readonly #events: Emitter<SessionServerEvents>
  readonly #pending = new Set<Handshake>()
  readonly #sessions = new Map<string, HostedSession>()
  readonly #byAccount = new Map<string, HostedSession>()
  readonly #tombstones: Tombstones
  readonly #refused = new CloseCounts()
  readonly #sessionCloses = new CloseCounts()
  readonly #endedTraffic = new Traffic()
  #accepted = 0
  #opened = 0
  #resumed = 0
  #resets = 0
  #adopted = 0
  #isStopped = false

  constructor(options: SessionServerOptions) {
    const {
      clock = systemClock,
      random = systemRandom,
      resumeWindowMs = 60_000,
      tokenTtlMs = Math.max(600_000, resumeWindowMs * 2),
      handshakeTimeoutMs = 3000,
      authTimeoutMs = 5000,
      heartbeatMs = 5000,
      heartbeatTimeoutMs = Math.floor(heartbeatMs * 2.5),
      maxSessions = 10_000,
      maxPendingHandshakes = 1024,
    } = options
    requireWhole('resumeWindowMs', resumeWindowMs, 0)
    requireWhole('tokenTtlMs', tokenTtlMs, Math.max(2, resumeWindowMs * 2))
    requireWhole('handshakeTimeoutMs', handshakeTimeoutMs, 1)
    requireWhole('authTimeoutMs', authTimeoutMs, 1)
    requireWhole('heartbeatMs', heartbeatMs, 100)
    requireWhole('heartbeatTimeoutMs', heartbeatTimeoutMs, heartbeatMs)
    requireWhole('maxSessions', maxSessions, 1)
    requireWhole('maxPendingHandshakes', maxPendingHandshakes, 1)
    const limits = sessionLimits(options.limits)
    const terms: Terms = { heartbeatMs, heartbeatTimeoutMs, resumeWindowMs, ...limits }
    const onError =
      options.onError ??
      ((error: unknown) =>
        clock.defer(() => {
          throw error
        }))

    this.#options = options
    this.#maxSessions = maxSessions
    this.#maxPending = maxPendingHandshakes
    this.#events = new Emitter(onError)
    this.#tombstones = new Tombstones(maxSessions, tokenTtlMs)
    this.#host = {
      clock,
      random,
      limits,
      terms,
      tokens: options.tokens,
      tokenTtlMs,
      linkCloses: new CloseCounts(),
      onError,
      ended: (session, code, reason) => this.#ended(session, code, reason),
    }
    this.#handshakes = {
      clock,
      handshakeTimeoutMs,
      authTimeoutMs,
      hello: (handshake, frame, protocol) =>
        handshake.ask(
          (context) => options.authenticate(frame.ticket, context),
          (identity) => this.#login(handshake, frame, identity, protocol),
        ),
      resume: (handshake, frame) => this.#resume(handshake, frame),
      over: (handshake, code) => {
        this.#pending.delete(handshake)
        if (code !== undefined) this.#refused.count(closeName(code))
      },
    }
  }

  /** All sessions, open and waiting, by id. */
  get sessions(): ReadonlyMap<string, ServerSession> {
    return this.#sessions
  }

  /** Takes a link a player has made. It becomes a session or is closed with a code. */
  accept(link: SessionLink): void {
    this.#accepted += 1
    const handshake = new Handshake(link, this.#handshakes)
    this.#pending.add(handshake)
    if (this.#isStopped) {
      handshake.refuse(CLOSE.goingAway, 'the server has stopped')
    } else if (this.#pending.size > this.#maxPending) {
      handshake.refuse(CLOSE.overloaded, 'too many handshakes at once')
    }
  }

  on<Name extends keyof SessionServerEvents>(
    event: Name,
    listener: (payload: SessionServerEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener)
  }

  stats(): ServerStats {
    const traffic = new Traffic()
    addTraffic(traffic, this.#endedTraffic)
    let open = 0
    let unackedFrames = 0
    let unackedBytes = 0
    for (const session of this.#sessions.values()) {
      if (session.state === 'open') open += 1
      addTraffic(traffic, session.traffic)
      const stats = session.stats()
      unackedFrames += stats.unackedFrames
      unackedBytes += stats.unackedBytes
    }
    return {
      open,
      waiting: this.#sessions.size - open,
      pendingHandshakes: this.#pending.size,
      accepted: this.#accepted,
      opened: this.#opened,
      resumed: this.#resumed,
      resets: this.#resets,
      adopted: this.#adopted,
      refused: this.#refused.snapshot(),
      linkCloses: this.#host.linkCloses.snapshot(),
      sessionCloses: this.#sessionCloses.snapshot(),
      traffic: { ...traffic.snapshot(), unackedFrames, unackedBytes },
    }
  }

  /** Ends every session and handshake with `goingAway` and takes no more. Safe to call twice. */
  stop(reason = 'the server is stopping'): void {
    this.#isStopped = true
    for (const handshake of [...this.#pending]) handshake.refuse(CLOSE.goingAway, reason)
    for (const session of [...this.#sessions.values()]) session.end(CLOSE.goingAway, reason)
  }

  #login(handshake: Handshake, frame: HelloFrame, identity: Identity, protocol: number): void {
    if (!isIdentity(identity)) {
      this.#host.onError(new TypeError('an identity needs an account of 1 to 255 bytes'))
      handshake.refuse(CLOSE.authUnavailable, 'the login could not be checked')
      return
    }
    const older = this.#byAccount.get(identity.account)
    if (!this.#hasRoom(identity.account)) {
      handshake.refuse(CLOSE.overloaded, 'no room for another session')
      return
    }
    if (older?.isAheadOf(frame) === true) {
      handshake.refuse(CLOSE.linkSuperseded, 'the client has made a newer link')
      return
    }
    older?.end(CLOSE.replaced, 'the account logged in again')
    const session = new HostedSession(this.#host, this.#newId(), identity, frame)
    this.#add(session)
    this.#opened += 1
    session.welcome(handshake.release(), protocol, () => this.#events.emit('session', session))
  }

  #resume(handshake: Handshake, frame: ResumeFrame): void {
    const record = openToken(this.#options.tokens, frame.token)
    if (record === undefined || record.sessionId !== frame.sessionId) {
      handshake.refuse(CLOSE.tokenInvalid, 'not a token of this server')
    } else if (frame.routeEpoch > MAX_ROUTE_EPOCH) {
      handshake.refuse(CLOSE.protocolError, 'a route epoch that cannot be')
    } else if (this.#host.clock.wall() >= record.expiresAt) {
      handshake.refuse(CLOSE.tokenExpired, 'the token has expired')
    } else if (!this.#resumeHere(handshake, frame, record)) {
      this.#resumeUnknown(handshake, frame, record)
    }
  }

  /** @returns `false` when the session is unknown here. */
  #resumeHere(handshake: Handshake, frame: ResumeFrame, record: ResumeRecord): boolean {
    const session = this.#sessions.get(record.sessionId)
    if (session === undefined) return false
    if (session.account !== record.account) {
      handshake.refuse(CLOSE.tokenInvalid, 'the token is for another account')
    } else if (session.isAheadOf(frame)) {
      handshake.refuse(CLOSE.linkSuperseded, 'the client has made a newer link')
    } else if (!session.accepts(record.linkEpoch)) {
      handshake.refuse(CLOSE.tokenReplayed, 'a newer token was used already')
    } else {
      this.#resumed += 1
      if (!session.resume(handshake.release(), frame, record)) this.#resets += 1
    }
    return true
  }

  #resumeUnknown(handshake: Handshake, frame: ResumeFrame, record: ResumeRecord): void {
    const { adopt } = this.#options
    const grave = this.#tombstones.get(record.sessionId, this.#host.clock.now())
    if (grave !== undefined && closeKind(grave.code) === 'stop') {
      handshake.refuse(grave.code, grave.reason)
    } else if (grave !== undefined && record.linkEpoch < grave.confirmedEpoch) {
      handshake.refuse(CLOSE.tokenReplayed, 'a newer token was used already')
    } else if (adopt === undefined) {
      handshake.refuse(CLOSE.sessionUnknown, 'the session is not here')
    } else {
      handshake.ask(
        (context) => adopt.call(this.#options, record, context),
        (identity) => this.#adopt(handshake, frame, record, identity),
      )
    }
  }

  #adopt(
    handshake: Handshake,
    frame: ResumeFrame,
    record: ResumeRecord,
    identity: Identity | undefined,
  ): void {
    // Another link may have had the same answer while this one waited for it.
    if (this.#resumeHere(handshake, frame, record)) return
    if (identity === undefined) {
      handshake.refuse(CLOSE.sessionUnknown, 'the session is not here')
    } else if (identity.account !== record.account) {
      this.#host.onError(new TypeError('adopt must answer with the account of the record'))
      handshake.refuse(CLOSE.sessionUnknown, 'the session is not here')
    } else if (!this.#hasRoom(record.account)) {
      handshake.refuse(CLOSE.overloaded, 'no room for another session')
    } else {
      this.#byAccount.get(record.account)?.end(CLOSE.replaced, 'the account logged in again')
      const session = new HostedSession(this.#host, record.sessionId, identity, frame, record)
      this.#add(session)
      this.#adopted += 1
      session.resume(handshake.release(), frame, record, () =>
        this.#events.emit('session', session),
      )
    }
  }

  /** A login that replaces a session of the same account needs no room. */
  #hasRoom(account: string): boolean {
    return this.#sessions.size < this.#maxSessions || this.#byAccount.has(account)
  }

  #newId(): string {
    let id = ''
    for (const byte of this.#host.random(SESSION_ID_BYTES)) id += byte.toString(16).padStart(2, '0')
    return id
  }

  #add(session: HostedSession): void {
    this.#sessions.set(session.id, session)
    this.#byAccount.set(session.account, session)
  }

  #ended(session: HostedSession, code: number, reason: string): void {
    this.#sessions.delete(session.id)
    if (this.#byAccount.get(session.account) === session) this.#byAccount.delete(session.account)
    addTraffic(this.#endedTraffic, session.traffic)
    this.#sessionCloses.count(closeName(code))
    const { confirmedEpoch } = session
    this.#tombstones.add(session.id, { code, reason, confirmedEpoch }, this.#host.clock.now())
  }
}

function isIdentity(identity: unknown): identity is Identity {
  const account: unknown = (identity as Partial<Identity> | undefined)?.account
  if (typeof account !== 'string' || account === '') return false
  return new TextEncoder().encode(account).length <= MAX_ACCOUNT_BYTES
}
