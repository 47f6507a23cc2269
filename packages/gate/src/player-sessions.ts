import { CLOSE, systemClock, type Clock, type Link, type RpcNode, type RpcPeer } from '@rts/rpc'
import { BINDING_CLOSE } from './close-codes.ts'
import { readLinkMeta, type LinkMeta } from './link-meta.ts'
import { silentLogger, type Logger } from './logger.ts'
import { HostedPlayer } from './hosted-player.ts'
import type { PlayerSession } from './player-session.ts'
import { PlayersService } from './players-service.ts'
import { PLAYERS_SERVICE } from './service-names.ts'
import { SessionGroup } from './session-group.ts'

export interface PlayerSessionsOptions {
  /**
   * A player has arrived. Expose here what they may call. While a promise that it returns is pending
   * their calls wait, so do not await a call to the player in it. What it throws refuses the player.
   */
  onSession(session: PlayerSession): void | Promise<void>
  /** Milliseconds that promise may take. @defaultValue 10000 */
  readonly readyTimeoutMs?: number
  /** Bytes of one player that may wait for it. @defaultValue 65536 */
  readonly maxHeldBytes?: number
  /** Players at once; further ones are refused and their gate looks elsewhere. @defaultValue 10000 */
  readonly maxSessions?: number
  readonly clock?: Clock
  /** @defaultValue silent */
  readonly logger?: Logger
}

const DEFAULTS = { readyTimeoutMs: 10_000, maxHeldBytes: 65_536, maxSessions: 10_000 }

/** The players bound to this node, over the links of all gates. One for each `RpcNode`. */
export class PlayerSessions {
  readonly #rpc: RpcNode
  readonly #options: Required<PlayerSessionsOptions>
  /** By session id, then by route. */
  readonly #sessions = new Map<string, Map<string, HostedPlayer>>()
  readonly #groups = new Map<string, SessionGroup>()
  readonly #undo: readonly (() => void)[]
  #size = 0
  #isClosed = false

  constructor(rpc: RpcNode, options: PlayerSessionsOptions) {
    this.#rpc = rpc
    this.#options = {
      ...DEFAULTS,
      clock: systemClock,
      logger: silentLogger,
      ...options,
      onSession: (session) => options.onSession(session),
    }
    for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
      const value = this.#options[name]
      if (!(Number.isFinite(value) && value > 0))
        throw new RangeError(`${name} must be above 0, not ${value}`)
    }
    const service = new PlayersService({
      flow: (session, route, epoch, isPaused) =>
        this.#of(session, route, epoch)?.setPaused(isPaused),
      presence: (session, route, epoch, isOnline) =>
        this.#of(session, route, epoch)?.setOnline(isOnline),
    })
    this.#undo = [
      rpc.onVirtualLink((link, meta, peer) => this.#arrived(link, meta, peer)),
      rpc.expose(PLAYERS_SERVICE, service),
    ]
  }

  /** How many there are. */
  get size(): number {
    return this.#size
  }

  get sessions(): readonly PlayerSession[] {
    return this.#hosted()
  }

  /** @param route - Which one, where a player is bound to this node by several routes. */
  get(sessionId: string, route?: string): PlayerSession | undefined {
    const routes = this.#sessions.get(sessionId)
    return route === undefined ? routes?.values().next().value : routes?.get(route)
  }

  /** The group of that name on this node, made on first use and gone with its `close`. */
  group(name: string): SessionGroup {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    if (name === '' || name.length > 128)
      throw new RangeError(`a group's name has 1 to 128 characters, not ${name.length}`)
    const group = new SessionGroup(name, this.#options.logger, () => this.#groups.delete(name))
    this.#groups.set(name, group)
    return group
  }

  /** Takes no more players and lets go of those here: gates bind their `onOpen` routes elsewhere. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const session of this.#hosted())
      session.detach(BINDING_CLOSE.leaving, 'the node takes no more players')
    for (const group of [...this.#groups.values()]) group.close()
    for (const undo of this.#undo) undo()
  }

  #hosted(): HostedPlayer[] {
    return [...this.#sessions.values()].flatMap((routes) => [...routes.values()])
  }

  #of(sessionId: string, route: string, epoch: number): HostedPlayer | undefined {
    const session = this.#sessions.get(sessionId)?.get(route)
    return session?.epoch === epoch ? session : undefined
  }

  #arrived(link: Link, meta: unknown, gatePeer: RpcPeer): void {
    const known = gatePeer.caller === 'server' ? readLinkMeta(meta) : undefined
    if (known === undefined) {
      link.close(CLOSE.refused, 'not the link of a player')
      return
    }
    const old = this.#sessions.get(known.session)?.get(known.route)
    if (old !== undefined && old.meta.linkEpoch > known.linkEpoch) {
      link.close(BINDING_CLOSE.superseded, 'the player is at another gate')
      return
    }
    if (this.#isClosed || (old === undefined && this.#size >= this.#options.maxSessions)) {
      link.close(BINDING_CLOSE.leaving, 'the node takes no more players')
      return
    }
    old?.detach(BINDING_CLOSE.superseded, 'the route was bound anew')
    this.#begin(this.#add(link, known, gatePeer))
  }

  #add(link: Link, meta: LinkMeta, gatePeer: RpcPeer): HostedPlayer {
    const { logger, maxHeldBytes } = this.#options
    const session = new HostedPlayer(this.#rpc, link, meta, gatePeer, maxHeldBytes, (error) =>
      logger.warn('a session listener or its gate failed', {
        session: meta.session,
        error: String(error),
      }),
    )
    let routes = this.#sessions.get(session.id)
    if (routes === undefined) this.#sessions.set(session.id, (routes = new Map()))
    routes.set(session.route, session)
    this.#size += 1
    session.on('closed', () => this.#remove(session))
    return session
  }

  #remove(session: HostedPlayer): void {
    const routes = this.#sessions.get(session.id)
    if (routes?.get(session.route) !== session) return
    routes.delete(session.route)
    if (routes.size === 0) this.#sessions.delete(session.id)
    this.#size -= 1
  }

  #begin(session: HostedPlayer): void {
    const { clock, readyTimeoutMs } = this.#options
    let ready: void | Promise<void>
    try {
      ready = this.#options.onSession(session)
    } catch (error) {
      this.#refuse(session, error)
      return
    }
    // An arrow function may well return something else: the undo of its last `expose`, for one.
    if (typeof ready?.then !== 'function') {
      session.release()
      return
    }
    const cancel = clock.setTimer(readyTimeoutMs, () =>
      this.#refuse(session, new Error(`onSession took more than ${readyTimeoutMs} ms`)),
    )
    ready
      .then(() => session.release())
      .catch((error: unknown) => this.#refuse(session, error))
      .finally(cancel)
  }

  #refuse(session: HostedPlayer, error: unknown): void {
    this.#options.logger.warn('a player could not be taken', {
      session: session.id,
      route: session.route,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    session.detach(CLOSE.refused, 'the player could not be taken')
  }
}
