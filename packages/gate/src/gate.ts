import {
  systemClock,
  systemRandom,
  type Link,
  type LinkOptions,
  type Listener,
  type Transport,
} from '@rts/rpc'
import { CLOSE, SessionServer, type ServerSession } from '@rts/session'
import { CountedLink } from './counted-link.ts'
import { newCounters } from './counters.ts'
import { GateError } from './errors.ts'
import type { GateContext } from './gate-context.ts'
import { GateService } from './gate-service.ts'
import { GateSession } from './gate-session.ts'
import { Groups } from './groups.ts'
import { countedHost, HostLimits } from './host-limits.ts'
import { resolveLimits } from './limits.ts'
import { silentLogger } from './logger.ts'
import type { GateOptions } from './options.ts'
import { GATE_SERVICE } from './service-names.ts'
import type { GateStats } from './stats.ts'
import { tokenSealer } from './token-sealer.ts'

const DEFAULTS = { dialTimeoutMs: 3000, rebindDelayMs: 100, maxRebindDelayMs: 5000 }
const SESSION_OPTIONS = [
  'resumeWindowMs',
  'tokenTtlMs',
  'handshakeTimeoutMs',
  'authTimeoutMs',
  'heartbeatMs',
] as const

/**
 * Keeps players connected while backends change. Accepts their links on any transport, holds their
 * sessions, and carries the frames of each route, unread, to the backend it is bound to.
 */
export class Gate {
  readonly id: string
  readonly #options: GateOptions
  readonly #context: GateContext
  readonly #transports = new Map<string, Transport>()
  readonly #server: SessionServer
  readonly #hosts: HostLimits
  readonly #sessions = new Map<string, GateSession>()
  readonly #listeners = new Set<Listener>()
  readonly #undo: (() => void)[] = []
  #stopping: Promise<void> | undefined

  constructor(options: GateOptions) {
    const { rpc, directory } = options
    const clock = options.clock ?? systemClock
    const random = options.random ?? systemRandom
    const limits = resolveLimits(options.limits)
    const counters = newCounters()
    this.id = options.id ?? rpc.id
    this.#options = options
    for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
      const value = options[name]
      if (value !== undefined && !(Number.isFinite(value) && value > 0))
        throw new RangeError(`${name} must be above 0, not ${value}`)
    }
    this.#context = {
      id: this.id,
      rpc,
      directory,
      limits,
      dialTimeoutMs: options.dialTimeoutMs ?? DEFAULTS.dialTimeoutMs,
      rebindDelayMs: options.rebindDelayMs ?? DEFAULTS.rebindDelayMs,
      maxRebindDelayMs: options.maxRebindDelayMs ?? DEFAULTS.maxRebindDelayMs,
      groups: new Groups(
        {
          maxGroupsPerNode: limits.maxGroupsPerNode,
          maxGroupsPerMember: limits.maxGroupsPerBinding,
        },
        counters,
      ),
      counters,
      clock,
      random,
      logger: options.logger ?? silentLogger,
    }
    for (const transport of options.transports) this.#transports.set(transport.scheme, transport)
    this.#hosts = new HostLimits(
      {
        maxLinks: limits.maxLinksPerHost,
        perSecond: limits.linksPerSecondPerHost,
        burst: limits.linkBurstPerHost,
      },
      clock,
    )
    this.#server = this.#makeServer(options, this.#context)
    this.#undo.push(
      this.#server.on('session', (session) => this.#opened(session)),
      rpc.expose(GATE_SERVICE, new GateService(this.#context, this.#sessions)),
    )
    const undoLeave = directory.onLeave?.((nodeId) => this.#nodeLeft(nodeId))
    if (undoLeave !== undefined) this.#undo.push(undoLeave)
  }

  /**
   * Accepts players there. The scheme chooses the transport; port 0 asks for a free one.
   *
   * @throws GateError `GATE_NO_TRANSPORT`, `GATE_STOPPED`; RpcError `RPC_LISTEN_FAILED` when the port is in use.
   */
  async listen(url: string, options: Partial<LinkOptions> = {}): Promise<Listener> {
    const scheme = url.slice(0, Math.max(0, url.indexOf(':')))
    // TLS is the same transport with another first word.
    const transport = this.#transports.get(scheme) ?? this.#transports.get(scheme.slice(0, -1))
    if (transport === undefined)
      throw new GateError('GATE_NO_TRANSPORT', `no transport for ${url} was given to the gate`)
    if (this.#stopping !== undefined) throw new GateError('GATE_STOPPED', 'the gate is stopped')
    const { limits, clock, random } = this.#context
    const listener = await transport.listen(
      url,
      { maxMessageBytes: limits.maxFromPlayerBytes, trust: 'player', clock, random, ...options },
      (link) => this.accept(link),
    )
    this.#listeners.add(listener)
    return {
      url: listener.url,
      close: () => {
        this.#listeners.delete(listener)
        return listener.close()
      },
    }
  }

  /** Takes one player link made elsewhere. */
  accept(link: Link): void {
    const { counters } = this.#context
    if (this.#stopping !== undefined) {
      counters.stopped += 1
      refuse(link, CLOSE.goingAway, 'the gate is stopping')
      return
    }
    const host = countedHost(link.remote)
    const verdict = host === undefined ? 'ok' : this.#hosts.take(host)
    if (verdict !== 'ok') {
      if (verdict === 'too many') counters.tooManyOfHost += 1
      else counters.tooFastFromHost += 1
      refuse(link, CLOSE.overloaded, `${verdict} links from one address`)
      return
    }
    this.#server.accept(
      new CountedLink(link, () => {
        if (host !== undefined) this.#hosts.release(host)
      }),
    )
  }

  stats(): GateStats {
    const { counters, groups } = this.#context
    let open = 0
    let opening = 0
    let frames = 0
    let bytes = 0
    for (const session of this.#sessions.values()) {
      for (const binding of session.bindings) {
        if (binding.nodeId !== undefined) open += 1
        if (binding.isOpening) opening += 1
        frames += binding.parkedFrames
        bytes += binding.parkedBytes
      }
    }
    return {
      sessions: this.#server.stats(),
      refusedLinks: {
        tooManyOfHost: counters.tooManyOfHost,
        tooFastFromHost: counters.tooFastFromHost,
        stopped: counters.stopped,
      },
      routes: {
        open,
        opening,
        opened: counters.routesOpened,
        lost: counters.routesLost,
        failed: counters.routesFailed,
        refusedBytes: counters.refusedBytes,
      },
      forwarded: {
        toBackendFrames: counters.toBackendFrames,
        toBackendBytes: counters.toBackendBytes,
        toPlayerFrames: counters.toPlayerFrames,
        toPlayerBytes: counters.toPlayerBytes,
      },
      parked: {
        frames,
        bytes,
        total: counters.parkedTotal,
        dropped: counters.parkedDropped,
        tooMany: counters.parkedTooMany,
        tooOld: counters.parkedTooOld,
      },
      stateDropped: counters.stateDropped,
      pauses: counters.pauses,
      groups: {
        count: groups.count,
        members: groups.members,
        frames: counters.groupFrames,
        deliveries: counters.groupDeliveries,
        refused: counters.groupsRefused,
      },
    }
  }

  /**
   * Stops listening and closes every session with `goingAway`, after which players resume at another
   * gate. The `RpcNode` is left to its owner. Safe to call twice; both calls settle together.
   */
  stop(reason = 'the gate is stopping'): Promise<void> {
    return (this.#stopping ??= this.#stop(reason))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(reason: string): Promise<void> {
    for (const undo of this.#undo) undo()
    this.#server.stop(reason)
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    await Promise.allSettled(listeners.map((listener) => listener.close()))
  }

  #makeServer(options: GateOptions, context: GateContext): SessionServer {
    const { clock, random, limits, logger } = context
    const given = SESSION_OPTIONS.filter((name) => options[name] !== undefined)
    return new SessionServer({
      clock,
      random,
      tokens: tokenSealer(options.tokenKey, random),
      authenticate: (ticket, call) => options.authenticate(ticket, call),
      adopt: async (record, call) => {
        if (options.adopt !== undefined) return options.adopt(record, call)
        return { account: record.account }
      },
      maxSessions: limits.maxSessions,
      maxPendingHandshakes: limits.maxPendingHandshakes,
      limits: limits.session,
      onError: (error) => logger.warn('a session listener failed', { error: String(error) }),
      ...Object.fromEntries(given.map((name) => [name, options[name]])),
    })
  }

  #opened(session: ServerSession): void {
    const opened = new GateSession(this.#context, session, this.#options.routes)
    this.#sessions.set(session.id, opened)
    session.on('closed', () => {
      if (this.#sessions.get(session.id) === opened) this.#sessions.delete(session.id)
    })
    opened.start(this.#options.bindings?.bind(this.#options))
  }

  #nodeLeft(nodeId: string): void {
    for (const session of this.#sessions.values()) {
      for (const binding of session.bindings) binding.nodeLeft(nodeId)
    }
  }
}

function refuse(link: Link, code: number, reason: string): void {
  link.onMessage = () => {}
  link.onDrain = () => {}
  link.onClose = () => {}
  link.close(code, reason)
}
