import type { Clock, Ctor, Link, Random, Remote, RpcTable } from '@rts/rpc'
import { systemRandom } from '@rts/rpc/client'
import {
  ClientSession,
  type CLOSE,
  type CloseKind,
  type RouteInfo,
  type RouteState,
} from '@rts/session'
import { systemClock } from './clock.ts'
import { Emitter } from './emitter.ts'
import { ClientError } from './errors.ts'
import { GateDialer } from './gate-dialer.ts'
import { silentLogger, type Logger } from './logger.ts'
import type { ClientOptions, ConnectOptions } from './options.ts'
import { Routes } from './routes.ts'
import type { ClientStats } from './stats.ts'

/** `connecting`: no session yet. `waiting`: there is one, and a new link is looked for. `closed`: for good. */
export type ClientState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed'

export interface ClientEvents {
  state: ClientState
  /** A new session. What was known of the one before, if there was one, is over. */
  opened: { sessionId: string }
  /** The same session on a new link. `recovered: false`: frames were lost, routes are bound anew. */
  resumed: { recovered: boolean; lost: number }
  /** The link is gone, or the session is; the client goes on by itself. */
  lost: { code: number; reason: string; kind: CloseKind }
  route: { name: string; epoch: number; state: RouteState }
  rtt: { rttMs: number; smoothedMs: number }
  /** Over for good, by the gate or by `close`. */
  closed: { code: number; reason: string }
}

const DEFAULTS = {
  dialTimeoutMs: 5000,
  openTimeoutMs: 10_000,
  retryDelayMs: 250,
  maxRetryDelayMs: 10_000,
  maxMessageBytes: 1_114_112,
}
const DEFAULT_CONNECT_TIMEOUT_MS = 30_000
// Of the session's table, which a bundle need not hold as a whole.
const GOING_AWAY: typeof CLOSE.goingAway = 4004
const OVERLOADED: typeof CLOSE.overloaded = 4005
const PROTOCOL_ERROR: typeof CLOSE.protocolError = 4110
const CLOSED_BY_CLIENT: typeof CLOSE.closedByClient = 4200
/** Closes with which a gate asks to go to another one. */
const ELSEWHERE: readonly number[] = [GOING_AWAY, OVERLOADED]

interface ConnectWaiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The player's side: calls servers, is called by them, and stays while links, gates and backends go. */
export class Client {
  readonly #options: ClientOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  readonly #events: Emitter<ClientEvents>
  readonly #routes: Routes
  readonly #dialer: GateDialer
  readonly #waiters = new Set<ConnectWaiter>()
  #session: ClientSession | undefined
  #state: ClientState = 'idle'
  #gate: string | undefined
  #end: ClientError | undefined
  #closing: Promise<void> | undefined
  #linksOpened = 0
  #sessionsOpened = 0
  #resumes = 0
  #resets = 0

  /** @throws RangeError when there is no gate, a gate no transport reaches, or a time is not above 0. */
  constructor(options: ClientOptions) {
    const times = { ...DEFAULTS }
    for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
      const value = options[name] ?? DEFAULTS[name]
      if (!(Number.isFinite(value) && value > 0))
        throw new RangeError(`${name} must be above 0, not ${value}`)
      times[name] = value
    }
    const clock = (this.#clock = options.clock ?? systemClock)
    const random = (this.#random = options.random ?? systemRandom)
    const logger = (this.#logger = options.logger ?? silentLogger)
    this.#options = options
    this.#events = new Emitter((error) =>
      clock.defer(() => {
        throw error
      }),
    )
    this.#dialer = new GateDialer({
      ...times,
      gates: options.gates,
      transports: options.transports,
      clock,
      random,
      logger,
      onLink: (link, url) => this.#linked(link, url),
    })
    this.#routes = new Routes({
      clock,
      logger,
      defaultTimeoutMs: options.defaultTimeoutMs,
      whenUnbound: options.whenUnbound ?? 'wait',
      onBroken: (reason) => this.#broken(reason),
    })
  }

  get state(): ClientState {
    return this.#state
  }

  get sessionId(): string | undefined {
    return this.#session?.id
  }

  /**
   * Opens the session. Resolves when it is open, now or already; from then on the client keeps it
   * open by itself.
   *
   * @throws ClientError `CLIENT_STOPPED` when the gate refuses for good, `CLIENT_CONNECT_TIMEOUT`,
   *   `CLIENT_CLOSED`; `signal.reason`. The client is closed then.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options
    if (this.#end !== undefined) return Promise.reject(this.#end)
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (this.#state === 'open') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const giveUp = (error: unknown): void => {
        waiter.reject(error)
        void this.close('connect was given up')
      }
      const abort = (): void => giveUp(signal?.reason)
      const cancelTimer = this.#clock.setTimer(timeoutMs, () =>
        giveUp(new ClientError('CLIENT_CONNECT_TIMEOUT', `no session within ${timeoutMs} ms`)),
      )
      const settle = (): void => {
        this.#waiters.delete(waiter)
        cancelTimer()
        signal?.removeEventListener('abort', abort)
      }
      const waiter: ConnectWaiter = {
        resolve: () => {
          settle()
          resolve()
        },
        reject: (error) => {
          settle()
          reject(error as Error)
        },
      }
      signal?.addEventListener('abort', abort)
      this.#waiters.add(waiter)
      if (this.#state === 'idle') {
        this.#begin()
        this.#dialer.start()
      }
    })
  }

  /**
   * A service of whichever server the route is bound to. A call waits for the binding, for a link and
   * for its answer, all within its deadline; one that was under way when the route was bound anew
   * fails with `RPC_CLOSED` and `executed: 'maybe'`.
   */
  remote<C extends Ctor>(route: string, service: string): Remote<C, 'player'> {
    return this.#routes.remote<C>(route, service)
  }

  /**
   * Lets servers call `object` under that name, on every route.
   *
   * @param table - Instead of the class's own `static rpc`. What is open to `server` is meant.
   * @returns The undo.
   */
  expose<T extends object>(service: string, object: T, table?: RpcTable<T>): () => void {
    return this.#routes.rpc.expose(service, object, table)
  }

  route(name: string): RouteInfo {
    return this.#session?.route(name) ?? { epoch: 0, state: 'unbound' }
  }

  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (payload: ClientEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener)
  }

  stats(): ClientStats {
    return {
      dials: this.#dialer.dials,
      dialsFailed: this.#dialer.failed,
      linksOpened: this.#linksOpened,
      sessionsOpened: this.#sessionsOpened,
      resumes: this.#resumes,
      resets: this.#resets,
      gate: this.#gate,
      session: this.#session?.stats(),
      rpc: this.#routes.rpc.stats(),
    }
  }

  /** Ends the session, here and at the gate. Safe to call twice; both calls settle together. */
  close(reason = 'closed by the client'): Promise<void> {
    if (this.#closing === undefined) {
      this.#end ??= new ClientError('CLIENT_CLOSED', `the client is closed: ${reason}`)
      this.#session?.close(reason)
      this.#stop(CLOSED_BY_CLIENT, reason)
    }
    return this.#closing ?? Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(): void {
    const { ticket, openTimeoutMs, limits } = this.#options
    const session = new ClientSession({
      clock: this.#clock,
      random: this.#random,
      ticket: () => this.#askTicket(ticket),
      openTimeoutMs: openTimeoutMs ?? DEFAULTS.openTimeoutMs,
      ...(limits === undefined ? {} : { limits }),
    })
    this.#session = session
    this.#routes.use(session)
    this.#setState('connecting')
    session.on('opened', ({ id }) => {
      this.#sessionsOpened += 1
      this.#isOn()
      this.#events.emit('opened', { sessionId: id })
    })
    session.on('resumed', ({ recovered, lost }) => {
      this.#resumes += 1
      if (!recovered) this.#resets += 1
      this.#isOn()
      this.#events.emit('resumed', { recovered, lost })
    })
    session.on('lost', ({ code, reason }) => {
      this.#setState(session.id === undefined ? 'connecting' : 'waiting')
      this.#events.emit('lost', { code, reason, kind: 'resume' })
      this.#dialer.lost(ELSEWHERE.includes(code))
    })
    session.on('closed', ({ code, reason, kind }) =>
      this.#sessionClosed(session, code, reason, kind),
    )
    session.on('route', (route) => this.#events.emit('route', route))
    session.on('rtt', (rtt) => this.#events.emit('rtt', rtt))
  }

  async #askTicket(ticket: ClientOptions['ticket']): Promise<string> {
    if (typeof ticket === 'string') return ticket
    try {
      return await ticket()
    } catch (error) {
      this.#logger.warn('no ticket could be had', { error: String(error) })
      throw error
    }
  }

  #linked(link: Link, url: string): void {
    this.#gate = url
    this.#session?.attach(link)
  }

  #isOn(): void {
    this.#linksOpened += 1
    this.#dialer.opened()
    this.#setState('open')
    for (const waiter of [...this.#waiters]) waiter.resolve()
  }

  #sessionClosed(session: ClientSession, code: number, reason: string, kind: CloseKind): void {
    if (this.#session !== session || this.#closing !== undefined || this.#end !== undefined) return
    const bound = this.#routes.leave(`the session is over: ${reason || code}`)
    for (const { name, epoch } of bound) this.#events.emit('route', { name, epoch, state: 'lost' })
    if (kind === 'stop') {
      const close = { code, reason }
      this.#end = new ClientError('CLIENT_STOPPED', `the gate said to stop: ${reason || code}`, {
        close,
      })
      this.#stop(code, reason)
      return
    }
    this.#events.emit('lost', { code, reason, kind })
    this.#begin()
    this.#dialer.lost(false)
  }

  /** A server sent on a route what it must not: only a new session gets both ends in step again. */
  #broken(reason: string): void {
    const session = this.#session
    if (session === undefined || this.#closing !== undefined) return
    this.#logger.warn('a server broke the protocol', { reason })
    this.#sessionClosed(session, PROTOCOL_ERROR, reason, 'fresh')
    session.close(reason)
  }

  #stop(code: number, reason: string): void {
    this.#dialer.stop()
    this.#closing = this.#routes.close()
    this.#setState('closed')
    for (const waiter of [...this.#waiters]) waiter.reject(this.#end)
    this.#events.emit('closed', { code, reason })
  }

  #setState(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.#events.emit('state', state)
  }
}
