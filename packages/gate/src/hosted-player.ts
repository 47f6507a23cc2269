import {
  notify,
  withCall,
  type Ctor,
  type Link,
  type Remote,
  type RpcNode,
  type RpcPeer,
  type RpcTable,
} from '@rts/rpc'
import { CLOSE } from '@rts/session'
import { GateError } from './errors.ts'
import type { GateService } from './gate-service.ts'
import { HeldLink } from './held-link.ts'
import type { LinkMeta } from './link-meta.ts'
import type { PlayerSession, PlayerSessionEvents } from './player-session.ts'
import { GATE_SERVICE } from './service-names.ts'

type Listeners = {
  readonly [Name in keyof PlayerSessionEvents]: Set<(payload: PlayerSessionEvents[Name]) => void>
}

/** Calls to a gate may have to reach another node first. */
const GATE_CALL_TIMEOUT_MS = 6000

/** A player on the virtual link their gate opened. */
export class HostedPlayer implements PlayerSession {
  readonly id: string
  readonly account: string
  readonly identity: LinkMeta['identity']
  readonly route: string
  readonly epoch: number
  readonly gateId: string
  readonly peer: RpcPeer
  readonly gatePeer: RpcPeer
  readonly meta: LinkMeta
  readonly #link: HeldLink
  readonly #gate: Remote<typeof GateService>
  readonly #onError: (error: unknown) => void
  readonly #listeners: Listeners = { away: new Set(), back: new Set(), closed: new Set() }
  #state: 'open' | 'away' | 'closed'

  constructor(
    rpc: RpcNode,
    link: Link,
    meta: LinkMeta,
    gatePeer: RpcPeer,
    maxHeldBytes: number,
    onError: (error: unknown) => void,
  ) {
    this.id = meta.session
    this.account = meta.account
    this.identity = meta.identity
    this.route = meta.route
    this.epoch = meta.epoch
    this.gateId = meta.gate
    this.meta = meta
    this.gatePeer = gatePeer
    this.#state = meta.online ? 'open' : 'away'
    this.#onError = onError
    this.#gate = withCall(gatePeer.service<typeof GateService>(GATE_SERVICE), {
      timeoutMs: GATE_CALL_TIMEOUT_MS,
    })
    this.#link = new HeldLink(link, {
      remote: `player://${meta.session}/${meta.route}`,
      maxHeldBytes,
      windowBytes: meta.windowBytes,
      ask: () => this.#gate.keepsUp(meta.session, meta.route, meta.epoch),
    })
    this.peer = rpc.attach(this.#link, {
      trust: 'player',
      name: meta.session,
      maxSendBytes: meta.maxMessageBytes,
    })
    this.peer.on('closed', (code, reason) => this.#closed(code, reason))
  }

  get state(): 'open' | 'away' | 'closed' {
    return this.#state
  }

  expose<T extends object>(name: string, object: T, table?: RpcTable<T>): () => void {
    return this.peer.expose(name, object, table)
  }

  remote<C extends Ctor>(name: string): Remote<C, 'server'> {
    return this.peer.service<C, 'server'>(name)
  }

  async bind(route: string, nodeId: string): Promise<void> {
    this.#checkOpen()
    await this.#gate.bind(this.id, route, nodeId)
  }

  async unbind(route: string): Promise<void> {
    this.#checkOpen()
    await this.#gate.unbind(this.id, route)
  }

  close(code: number = CLOSE.kicked, reason = 'kicked'): void {
    if (!Number.isInteger(code) || code < 4000 || code > 4999)
      throw new RangeError(`code must be from 4000 to 4999, not ${code}`)
    if (this.#state === 'closed') return
    // Beside the virtual link, which the gate then closes with the session's own reason.
    if (!notify(this.#gate).kick(this.id, code, reason)) this.peer.close(code, reason)
  }

  on<Name extends keyof PlayerSessionEvents>(
    event: Name,
    listener: (payload: PlayerSessionEvents[Name]) => void,
  ): () => void {
    const listeners = this.#listeners[event]
    // A wrapper of its own, so that the same function may listen twice and each undo is exact.
    const entry = (payload: PlayerSessionEvents[Name]): void => listener(payload)
    listeners.add(entry)
    return () => void listeners.delete(entry)
  }

  /** The application has prepared the session: the player's calls may come. */
  release(): void {
    this.#link.release()
  }

  setPaused(isPaused: boolean): void {
    if (isPaused) this.#link.pause()
    else this.#link.resume()
  }

  setOnline(isOnline: boolean): void {
    const state = isOnline ? 'open' : 'away'
    if (this.#state === 'closed' || this.#state === state) return
    this.#state = state
    this.#emit(isOnline ? 'back' : 'away', undefined)
  }

  /** Lets go of this binding; the gate hears why. */
  detach(code: number, reason: string): void {
    this.peer.close(code, reason)
    this.#closed(code, reason)
  }

  #closed(code: number, reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#emit('closed', { code, reason })
  }

  #checkOpen(): void {
    if (this.#state === 'closed')
      throw new GateError('GATE_SESSION_CLOSED', `session ${this.id} is closed`)
  }

  #emit<Name extends keyof PlayerSessionEvents>(
    event: Name,
    payload: PlayerSessionEvents[Name],
  ): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(payload)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
