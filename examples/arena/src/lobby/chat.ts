import type { ClusterNode } from '@rts/cluster'
import type { PlayerSession, SessionGroup } from '@rts/gate/backend'
import type { RpcTable } from '@rts/rpc'
import { serverUrl } from '../server-url.ts'
import type { ChatLine } from '../shared/player-api.ts'

const MAX_TEXT = 200

/** One chat for all lobbies: a line goes to the players here and, once, to every other lobby. */
export class Chat {
  static readonly rpc = { relay: 'server' } as const satisfies RpcTable<Chat>
  readonly #node: ClusterNode
  readonly #group: SessionGroup

  constructor(node: ClusterNode, group: SessionGroup) {
    this.#node = node
    this.#group = group
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
    this.relay(line)
    for (const lobby of this.#node.directory('lobby').nodes) {
      const url = serverUrl(lobby)
      if (lobby.id === this.#node.id || url === undefined) continue
      void this.#node.rpc
        .at<typeof Chat>(url, 'chat')
        .relay(line)
        .catch((error: unknown) => {
          this.#node.logger.debug('a lobby missed a chat line', { lobby: lobby.id, error })
        })
    }
  }

  relay(line: ChatLine): void {
    this.#group.notify('screen', 'chat', [line])
  }
}
