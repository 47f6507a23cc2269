import type { ClusterNode } from '@rts/cluster'
import type { PlayerSession, SessionGroup } from '@rts/gate/backend'
import type { Clock, Random, RpcTable } from '@rts/rpc'
import { serverUrl } from '../server-url.ts'
import type { ChatLine } from '../shared/player-api.ts'
import { ChatRelay, HeardLines } from './chat-relay.ts'

const MAX_TEXT = 200

/** One chat for all lobbies: a line goes to the players here and, once, to every other lobby. */
export class Chat {
  static readonly rpc = { relay: 'server' } as const satisfies RpcTable<Chat>
  readonly #node: ClusterNode
  readonly #group: SessionGroup
  readonly #clock: Clock
  /** Tells this start of this lobby from any other: its lines are numbered from 1. */
  readonly #origin: string
  readonly #heard = new HeardLines()
  readonly #relays = new Map<string, ChatRelay>()

  constructor(node: ClusterNode, group: SessionGroup, clock: Clock, random: Random) {
    this.#node = node
    this.#group = group
    this.#clock = clock
    this.#origin = [node.id, ...random(8)].join('-')
  }

  join(session: PlayerSession): void {
    this.#group.add(session)
  }

  say(line: ChatLine): void {
    if (typeof line.text !== 'string' || line.text.length < 1 || line.text.length > MAX_TEXT) {
      throw Object.assign(new Error(`a chat line has 1 to ${MAX_TEXT} characters`), {
        code: 'ARENA_BAD_CHAT',
      })
    }
    this.#tell(line)
    for (const { id } of this.#node.directory('lobby').nodes)
      if (id !== this.#node.id) this.#relayTo(id).add(line)
  }

  /** From another lobby; what has come before comes again when nobody knew whether it had. */
  relay(origin: string, firstNumber: number, lines: readonly ChatLine[]): void {
    for (const line of this.#heard.newOf(origin, firstNumber, lines)) this.#tell(line)
  }

  #tell(line: ChatLine): void {
    this.#group.notify('screen', 'chat', [line])
  }

  #relayTo(id: string): ChatRelay {
    let relay = this.#relays.get(id)
    if (relay === undefined) {
      const lobbies = this.#node.directory('lobby')
      relay = new ChatRelay({
        clock: this.#clock,
        isWanted: () => {
          if (lobbies.get(id) === undefined) this.#relays.delete(id)
          return this.#relays.get(id) === relay
        },
        send: async (firstNumber, lines) => {
          const lobby = lobbies.get(id)
          const url = lobby === undefined ? undefined : serverUrl(lobby)
          if (url === undefined) throw new Error(`${id} has no address`)
          await this.#node.rpc.at<typeof Chat>(url, 'chat').relay(this.#origin, firstNumber, lines)
        },
      })
      this.#relays.set(id, relay)
    }
    return relay
  }
}
