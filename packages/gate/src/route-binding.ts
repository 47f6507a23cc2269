import {
  CLOSE as LINK_CLOSE,
  notify,
  type Link,
  type Notify,
  type Remote,
  type RpcPeer,
} from '@rts/rpc'
import { CLOSE as SESSION_CLOSE, type Lane, type ServerSession } from '@rts/session'
import { BackendDial } from './backend-dial.ts'
import { BINDING_CLOSE } from './close-codes.ts'
import { publishRoute } from './diagnostics.ts'
import { GateError } from './errors.ts'
import type { GateContext } from './gate-context.ts'
import type { GroupMember } from './groups.ts'
import type { LinkMeta } from './link-meta.ts'
import type { GateRoute, GateTarget } from './options.ts'
import { ParkedFrames } from './parked-frames.ts'
import type { PlayersService } from './players-service.ts'
import { RebindPlan } from './rebind-plan.ts'
import { PLAYERS_SERVICE } from './service-names.ts'

interface Bound {
  readonly nodeId: string
  readonly peer: RpcPeer
  readonly link: Link
  readonly players: Notify<Remote<typeof PlayersService>>
  readonly openedMs: number
}

/**
 * One route of one session: which backend serves it, the virtual link there, and what happens while
 * there is none. Frames pass both ways as they are.
 */
export class RouteBinding implements GroupMember {
  readonly name: string
  readonly #gate: GateContext
  readonly #session: ServerSession
  readonly #route: GateRoute
  readonly #parked: ParkedFrames
  readonly #dial: BackendDial
  readonly #plan: RebindPlan
  #bound: Bound | undefined
  #epoch = 0
  /** The player was told `bound` while the backend is still being reached; their frames are parked. */
  #isPromised = false
  /** A promise is made once in an outage: after it was broken, only the open link counts. */
  #mayPromise = true
  /** The virtual link asked to wait. */
  #isBackendFull = false
  /** The backend was asked to wait. */
  #isBackendPaused = false
  /** Keep it bound by picking nodes. */
  #isWanted: boolean
  #cancelAge: (() => void) | undefined
  #isEnded = false

  constructor(gate: GateContext, session: ServerSession, name: string, route: GateRoute) {
    this.name = name
    this.#gate = gate
    this.#session = session
    this.#route = route
    this.#isWanted = route.onOpen ?? false
    this.#parked = new ParkedFrames(gate.limits.maxParkedBytes)
    this.#dial = new BackendDial(gate, name)
    this.#plan = new RebindPlan(gate, () => this.#tryPicked())
  }

  get epoch(): number {
    return this.#epoch
  }

  /** The backend whose link is open. */
  get nodeId(): string | undefined {
    return this.#bound?.nodeId
  }

  get isOpening(): boolean {
    return this.#dial.isUnderway || this.#plan.isScheduled
  }

  /** The player takes what the backend sends. */
  get keepsUp(): boolean {
    return !this.#isBackendPaused
  }

  get parkedFrames(): number {
    return this.#parked.length
  }

  get parkedBytes(): number {
    return this.#parked.bytes
  }

  /** The session is there: bind what is to be bound from the start. */
  start(): void {
    if (this.#isWanted) this.#tryPicked()
  }

  /**
   * Binds to that node. What was bound before stays so until the new node is reached.
   *
   * @returns The epoch of the new binding.
   * @throws GateError `GATE_UNREACHABLE`, `GATE_SUPERSEDED`, `GATE_UNKNOWN_SESSION`
   */
  async bindTo(target: GateTarget): Promise<number> {
    this.#plan.cancel()
    try {
      this.#open(await this.#dial.reach(target), target.id)
    } catch (error) {
      this.#gate.counters.routesFailed += 1
      if (this.#bound === undefined && !this.isOpening) this.#scheduleRetry()
      throw error
    }
    this.#isWanted = this.#route.onOpen ?? false
    return this.#epoch
  }

  /** Nobody serves it any more, and nobody is looked for until it is bound again. */
  unbind(): void {
    this.#isWanted = false
    this.#stopTrying(new GateError('GATE_SUPERSEDED', `route ${this.name} was unbound`))
    this.#release(BINDING_CLOSE.unbound, 'unbound')
    this.#dropParked()
    this.#tell('unbound')
  }

  /** A frame of the player. */
  fromPlayer(payload: Uint8Array, epoch: number, lane: Lane): void {
    if (epoch !== this.#epoch || (this.#bound === undefined && !this.#isPromised)) return
    if (this.#bound !== undefined && !this.#isBackendFull && this.#parked.length === 0) {
      this.#toBackend(this.#bound.link, payload, lane)
      return
    }
    const { counters, clock } = this.#gate
    if (lane === 'state') {
      counters.stateDropped += 1
      return
    }
    if (this.#parked.push(payload, clock.now())) {
      counters.parkedTotal += 1
      this.#watchAge()
    } else {
      counters.parkedTooMany += 1
      this.#giveUp('more was sent than may wait')
    }
  }

  /** A frame for the player, from the backend's link or one of its groups. */
  deliver(payload: Uint8Array, lane: Lane, key: number): void {
    const { counters, limits, logger } = this.#gate
    if (payload.length > limits.maxToPlayerBytes) {
      logger.warn('a backend sent more than a player takes', {
        node: this.nodeId,
        route: this.name,
        bytes: payload.length,
      })
      this.#lose(LINK_CLOSE.tooLarge, `${payload.length} bytes are more than a player takes`)
      return
    }
    counters.toPlayerFrames += 1
    counters.toPlayerBytes += payload.length
    const mayGoOn = this.#session.send(this.name, payload, lane, key)
    if (!mayGoOn && lane === 'reliable') this.#pauseBackend()
  }

  /** The player reads again. */
  playerDrained(): void {
    if (!this.#isBackendPaused) return
    this.#isBackendPaused = false
    this.#bound?.players.flow(this.#session.id, this.name, this.#epoch, false)
  }

  /** The player's link came or went. */
  presence(isOnline: boolean): void {
    this.#bound?.players.presence(this.#session.id, this.name, this.#epoch, isOnline)
  }

  /** The session started clean: what was under way on this binding is gone, so it begins anew. */
  restart(): void {
    this.#dropParked()
    this.#isPromised = false
    const bound = this.#bound
    if (bound === undefined) {
      if (this.#isWanted && !this.isOpening) this.#tryPicked()
      return
    }
    this.#release(BINDING_CLOSE.reset, 'the player resumed with frames missing')
    try {
      this.#open(bound.peer, bound.nodeId)
    } catch {
      if (!this.#isEnded) this.#afterLoss(bound)
    }
  }

  /** That node is gone for good: a dial to it has no point. */
  nodeLeft(nodeId: string): void {
    this.#dial.nodeLeft(nodeId)
  }

  /** The session is over. */
  end(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#stopTrying(new GateError('GATE_UNKNOWN_SESSION', 'the session is over'))
    this.#release(code, reason)
    this.#dropParked()
  }

  #tryPicked(): void {
    const target = this.#pick()
    if (target === undefined) {
      this.#gate.counters.routesFailed += 1
      this.#scheduleRetry()
      return
    }
    this.#promise()
    if (this.#isEnded) return
    this.#dial
      .reach(target)
      .then((peer) => this.#open(peer, target.id))
      .catch((error: unknown) => this.#pickFailed(target, error))
  }

  #pick(): GateTarget | undefined {
    try {
      return this.#gate.directory.pick(this.#route.role ?? this.name, this.#plan.avoid)
    } catch (error) {
      this.#gate.logger.warn('the directory failed', { route: this.name, error: String(error) })
      return undefined
    }
  }

  #pickFailed(target: GateTarget, error: unknown): void {
    // Superseded by a bind, or over: whoever did that goes on.
    if (this.#isEnded || this.#bound !== undefined || this.isOpening || !this.#isWanted) return
    this.#gate.counters.routesFailed += 1
    this.#gate.logger.debug('a backend was not reached', {
      node: target.id,
      route: this.name,
      error: String(error),
    })
    this.#plan.failed(target.id)
    this.#scheduleRetry()
  }

  #open(peer: RpcPeer, nodeId: string): void {
    if (this.#isEnded) throw new GateError('GATE_UNKNOWN_SESSION', 'the session is over')
    this.#release(BINDING_CLOSE.rebound, `bound to ${nodeId}`)
    if (this.#isPromised) this.#isPromised = false
    else this.#tell('bound', nodeId)
    if (this.#isEnded) throw new GateError('GATE_UNKNOWN_SESSION', 'the session is over')
    const { clock, counters } = this.#gate
    let link: Link
    try {
      link = peer.openVirtualLink(this.#meta())
    } catch (error) {
      this.#dropParked()
      this.#tell('lost')
      throw new GateError('GATE_UNREACHABLE', `${nodeId} takes no players`, { cause: error })
    }
    counters.routesOpened += 1
    const players = notify(peer.service<typeof PlayersService>(PLAYERS_SERVICE))
    const bound: Bound = { nodeId, peer, link, players, openedMs: clock.now() }
    this.#bound = bound
    this.#mayPromise = true
    link.onMessage = (message, unreliable) => {
      if (this.#bound === bound)
        this.deliver(message, unreliable === true ? 'state' : 'reliable', 0)
    }
    link.onDrain = () => {
      if (this.#bound === bound) this.#backendDrained(bound)
    }
    link.onClose = (code, reason) => {
      if (this.#bound === bound) this.#linkClosed(bound, code, reason)
    }
    this.#flush(bound)
  }

  #meta(): LinkMeta {
    const session = this.#session
    return {
      session: session.id,
      account: session.account,
      route: this.name,
      epoch: this.#epoch,
      gate: this.#gate.id,
      identity: { ...session.identity },
      linkEpoch: session.linkEpoch,
      online: session.state === 'open',
      maxMessageBytes: this.#gate.limits.maxToPlayerBytes,
      windowBytes: this.#gate.limits.windowBytes,
    }
  }

  #toBackend(link: Link, payload: Uint8Array, lane: Lane): void {
    const { counters } = this.#gate
    counters.toBackendFrames += 1
    counters.toBackendBytes += payload.length
    const mayGoOn =
      lane === 'state' && link.sendUnreliable !== undefined
        ? link.sendUnreliable(payload)
        : link.send(payload)
    if (!mayGoOn) this.#isBackendFull = true
  }

  #backendDrained(bound: Bound): void {
    this.#isBackendFull = false
    this.#flush(bound)
  }

  #flush(bound: Bound): void {
    while (this.#bound === bound && !this.#isBackendFull) {
      const payload = this.#parked.shift()
      if (payload === undefined) break
      this.#toBackend(bound.link, payload, 'reliable')
    }
    this.#watchAge()
  }

  #linkClosed({ peer }: Bound, code: number, reason: string): void {
    // Of this link alone; when the link that carries it is gone too, the player is not to blame.
    if (peer.isOpen && (code === LINK_CLOSE.protocol || code === LINK_CLOSE.tooLarge)) {
      this.#gate.counters.refusedBytes += 1
      this.#session.close(SESSION_CLOSE.protocolError, `route ${this.name}: ${reason}`)
      return
    }
    if (code === BINDING_CLOSE.superseded) {
      this.#session.close(SESSION_CLOSE.linkSuperseded, 'the player is at another gate')
      return
    }
    this.#lose(code, reason)
  }

  /** The backend of the open binding is gone, or is given up. */
  #lose(code: number, reason: string): void {
    const bound = this.#bound
    if (bound === undefined) return
    this.#release(code, reason)
    this.#dropParked()
    this.#gate.logger.debug('a route lost its backend', {
      session: this.#session.id,
      route: this.name,
      node: bound.nodeId,
      code,
      reason,
    })
    this.#tell('lost')
    this.#afterLoss(bound)
  }

  #afterLoss(bound: Bound): void {
    this.#gate.counters.routesLost += 1
    this.#plan.lost(bound.nodeId, bound.openedMs)
    this.#mayPromise = this.#plan.isFresh
    if (!this.isOpening) this.#scheduleRetry()
  }

  /** Tells the player to send: what comes is parked until the backend is reached, or until it waited too long. */
  #promise(): void {
    if (!this.#mayPromise || this.#isPromised) return
    this.#mayPromise = false
    this.#isPromised = true
    this.#tell('bound')
    this.#watchAge()
  }

  /** What is parked waited too long, or is too much. */
  #giveUp(why: string): void {
    if (this.#bound !== undefined) {
      this.#lose(BINDING_CLOSE.stalled, why)
      return
    }
    this.#dropParked()
    this.#isPromised = false
    this.#tell('lost')
  }

  /** One timer for all that is parked, and for a promise in which nothing is. */
  #watchAge(): void {
    const { clock, limits, counters } = this.#gate
    if (this.#cancelAge !== undefined) return
    const sinceMs = this.#parked.oldestMs ?? (this.#isPromised ? clock.now() : undefined)
    if (sinceMs === undefined || this.#isEnded) return
    const delayMs = Math.max(0, sinceMs + limits.maxParkedAgeMs - clock.now())
    this.#cancelAge = clock.setTimer(delayMs, () => {
      this.#cancelAge = undefined
      const oldestMs = this.#parked.oldestMs ?? Infinity
      if (clock.now() - oldestMs < limits.maxParkedAgeMs && !this.#isPromised) {
        this.#watchAge()
        return
      }
      if (this.#parked.length > 0) counters.parkedTooOld += 1
      this.#giveUp('it waited too long')
    })
  }

  #scheduleRetry(): void {
    if (this.#isWanted && !this.#isEnded) this.#plan.schedule()
  }

  #stopTrying(reason: GateError): void {
    this.#plan.cancel()
    this.#dial.stop(reason)
  }

  /** Lets go of the present link. */
  #release(code: number, reason: string): void {
    this.#gate.groups.leaveAll(this)
    this.#isBackendFull = false
    this.#isBackendPaused = false
    const bound = this.#bound
    this.#bound = undefined
    bound?.link.close(code, reason)
  }

  #dropParked(): void {
    this.#cancelAge?.()
    this.#cancelAge = undefined
    this.#gate.counters.parkedDropped += this.#parked.clear()
  }

  #pauseBackend(): void {
    if (this.#isBackendPaused || this.#bound === undefined) return
    this.#isBackendPaused = true
    this.#gate.counters.pauses += 1
    this.#bound.players.flow(this.#session.id, this.name, this.#epoch, true)
  }

  #tell(state: 'bound' | 'lost' | 'unbound', node?: string): void {
    if (state !== 'bound') this.#isPromised = false
    if (this.#session.state === 'closed') return
    this.#epoch = this.#session.setRoute(this.name, state)
    publishRoute({
      gate: this.#gate.id,
      session: this.#session.id,
      route: this.name,
      epoch: this.#epoch,
      state,
      node,
    })
  }
}
