import type { Logger } from '@rts/log'
import { currentCall, notify, type Remote, type RpcNode, type RpcPeer } from '@rts/rpc'
import type { Timers } from '@rts/timer'
import type { Village } from './village.ts'

/** What the program of a guest exposes as `guest`, for the rooms to call. */
export abstract class Guest {
  static readonly rpc = { hear: 'player' } as const
  abstract hear(text: string): void
}

/** Chat rooms, where news of the village is heard too. Guests lack the key of the cluster: they are players. */
export class Rooms {
  static readonly rpc = { enter: 'player', say: 'player', tell: 'server' } as const
  readonly #timers: Timers
  readonly #logger: Logger
  readonly #village: Remote<typeof Village>
  readonly #guests = new Map<RpcPeer, string>()

  constructor(rpc: RpcNode, timers: Timers, logger: Logger) {
    this.#timers = timers
    this.#logger = logger
    this.#village = rpc.entity<typeof Village>({ id: 'world' })
    rpc.expose('rooms', this)
  }

  /** From now on the caller hears the room. Its lantern is lit; resolves to the hour when it goes out. */
  enter(room: string): Promise<number> {
    const { peer } = currentCall()
    if (!this.#guests.has(peer)) peer.on('closed', () => this.#leave(peer))
    this.#guests.set(peer, room)
    return this.#village.light(room)
  }

  /** Heard in the caller's room, now or after a while, as a reminder. */
  say(text: string, delayMs = 0): void {
    const { peer, nodeId } = currentCall()
    const speak = (): void => this.tell(`${nodeId}: ${text}`, this.#guests.get(peer) ?? '')
    this.#timers.after(delayMs, speak, { key: peer })
  }

  /** Heard in one room, or in all. */
  tell(text: string, room?: string): void {
    this.#logger.info(text, { room })
    const there = [...this.#guests].filter(([, where]) => room === undefined || room === where)
    for (const [peer] of there) notify(peer.service<typeof Guest, 'player'>('guest')).hear(text)
  }

  #leave(peer: RpcPeer): void {
    this.#guests.delete(peer)
    this.#timers.cancel(peer)
  }
}
