import { encodeNotify, notify, type Ctor, type Notify, type Remote, type RpcPeer } from '@rts/rpc'
import type { GateService } from './gate-service.ts'
import type { Logger } from './logger.ts'
import { HostedPlayer } from './hosted-player.ts'
import type { PlayerSession } from './player-session.ts'
import { GATE_SERVICE } from './service-names.ts'

export interface GroupSendOptions {
  /** `state`: only the newest of each `key` counts. @defaultValue 'reliable' */
  readonly lane?: 'reliable' | 'state'
  /** Tells apart what replaces what on the state lane. A whole number from 0. @defaultValue 0 */
  readonly key?: number
}

interface GateMembers {
  readonly gate: Remote<typeof GateService>
  readonly oneWay: Notify<Remote<typeof GateService>>
  readonly members: Map<HostedPlayer, () => void>
  readonly maxMessageBytes: number
}

/** Players who hear the same. A send is encoded once and leaves as one frame per gate. */
export class SessionGroup {
  readonly name: string
  readonly #logger: Logger
  readonly #onClosed: () => void
  readonly #gates = new Map<RpcPeer, GateMembers>()
  #size = 0
  #isClosed = false

  /** @internal */
  constructor(name: string, logger: Logger, onClosed: () => void) {
    this.name = name
    this.#logger = logger
    this.#onClosed = onClosed
  }

  get size(): number {
    return this.#size
  }

  has(session: PlayerSession): boolean {
    const player = hosted(session)
    return this.#gates.get(player.gatePeer)?.members.has(player) ?? false
  }

  /** From now on the player hears the group, until removed or the session closes. A closed session is not added. */
  add(session: PlayerSession): void {
    const player = hosted(session)
    if (this.#isClosed || player.state === 'closed' || this.has(player)) return
    const { gatePeer, meta } = player
    let entry = this.#gates.get(gatePeer)
    if (entry === undefined) {
      const gate = gatePeer.service<typeof GateService>(GATE_SERVICE)
      entry = {
        gate,
        oneWay: notify(gate),
        members: new Map(),
        maxMessageBytes: meta.maxMessageBytes,
      }
      this.#gates.set(gatePeer, entry)
    }
    // The gate lets go of a binding that ended by itself.
    entry.members.set(
      player,
      player.on('closed', () => this.#forget(player)),
    )
    this.#size += 1
    entry.gate
      .join(this.name, player.id, player.route, player.epoch)
      .catch((error: unknown) => this.#joinFailed(player, error))
  }

  remove(session: PlayerSession): void {
    const player = hosted(session)
    const entry = this.#gates.get(player.gatePeer)
    if (entry === undefined || !this.#forget(player)) return
    entry.oneWay.leave(this.name, session.id, session.route)
  }

  /**
   * Calls a method of a service of every member's client, one way.
   *
   * @returns `false` when a gate was not reached or its link is full: better wait before sending more.
   * @throws RangeError when the encoded call is larger than a gate takes, or the key is no whole number from 0.
   */
  notify(
    service: string,
    method: string,
    args: readonly unknown[],
    options: GroupSendOptions = {},
  ): boolean {
    const { lane = 'reliable', key = 0 } = options
    if (!Number.isSafeInteger(key) || key < 0)
      throw new RangeError(`key must be a whole number from 0, not ${key}`)
    if (this.#size === 0) return true
    const frame = encodeNotify(service, method, args)
    for (const { maxMessageBytes } of this.#gates.values()) {
      if (frame.length > maxMessageBytes)
        throw new RangeError(
          `${frame.length} bytes are more than the ${maxMessageBytes} a player takes`,
        )
    }
    let mayGoOn = true
    for (const { oneWay } of this.#gates.values()) {
      if (!oneWay.multicast(this.name, frame, lane, key)) mayGoOn = false
    }
    return mayGoOn
  }

  /** The same, typed by the class the client exposes: `group.remote<typeof Hud>('hud').showScore(3)`. */
  remote<C extends Ctor>(service: string, options?: GroupSendOptions): Notify<Remote<C, 'server'>> {
    return this.#member(service, '', options) as Notify<Remote<C, 'server'>>
  }

  /** Removes all members. The name may be used again. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const gates = [...this.#gates.values()]
    for (const { members } of gates) for (const undo of members.values()) undo()
    this.#gates.clear()
    this.#size = 0
    for (const { oneWay } of gates) oneWay.dissolve(this.name)
    this.#onClosed()
  }

  #member(service: string, path: string, options: GroupSendOptions | undefined): object {
    const send = (...args: unknown[]): boolean => this.notify(service, path, args, options)
    return new Proxy(send, {
      get: (_, name) => {
        // `then` would make it look like a promise.
        if (typeof name === 'symbol' || name === 'then') return undefined
        return this.#member(service, path === '' ? name : `${path}.${name}`, options)
      },
    })
  }

  #joinFailed(session: HostedPlayer, error: unknown): void {
    // The binding ended before the gate heard of it, or a limit of the gate was reached.
    if (!this.#forget(session)) return
    this.#logger.warn('a player could not join a group', {
      group: this.name,
      session: session.id,
      error: String(error),
    })
  }

  #forget(session: HostedPlayer): boolean {
    const entry = this.#gates.get(session.gatePeer)
    const undo = entry?.members.get(session)
    if (entry === undefined || undo === undefined) return false
    undo()
    entry.members.delete(session)
    if (entry.members.size === 0) this.#gates.delete(session.gatePeer)
    this.#size -= 1
    return true
  }
}

function hosted(session: PlayerSession): HostedPlayer {
  if (session instanceof HostedPlayer) return session
  throw new TypeError('a group takes the sessions of a PlayerSessions')
}
