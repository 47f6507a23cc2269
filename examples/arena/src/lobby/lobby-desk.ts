import type { PlayerSession } from '@rts/gate/backend'
import type { RpcTable } from '@rts/rpc'
import type { RankRow } from '../shared/player-api.ts'
import type { Avatar } from './avatar.ts'
import type { BagItem } from './bag.ts'
import type { Chat } from './chat.ts'
import type { Leaderboard } from './leaderboard.ts'
import type { Admission, Matchmaker } from './matchmaker.ts'

export interface Welcome {
  readonly name: string
  readonly score: number
  readonly items: readonly BagItem[]
}

export interface LobbyParts {
  readonly chat: Chat
  readonly matchmaker: Matchmaker
  readonly leaderboard: Leaderboard
}

/** What one player can ask of the lobby. */
export class LobbyDesk {
  static readonly rpc = {
    enter: 'player',
    say: 'player',
    play: 'player',
    leaderboard: 'player',
  } as const satisfies RpcTable<LobbyDesk>

  readonly #session: PlayerSession
  readonly #avatar: Avatar
  readonly #parts: LobbyParts

  constructor(session: PlayerSession, avatar: Avatar, parts: LobbyParts) {
    this.#session = session
    this.#avatar = avatar
    this.#parts = parts
  }

  enter(): Welcome {
    const { profile, bag } = this.#avatar
    return { name: profile.name, score: profile.score, items: bag.list() }
  }

  /** Says a line to everybody in all lobbies. */
  say(text: string): void {
    this.#parts.chat.say({ from: this.#avatar.profile.name, text })
  }

  /** Takes a seat in a room; the route `game` is bound to its node when this settles. */
  async play(): Promise<Admission> {
    const { matchmaker } = this.#parts
    const admission = await matchmaker.seat(this.#session.account, this.#avatar.profile.name)
    await this.#session.bind('game', admission.node)
    return admission
  }

  leaderboard(): Promise<RankRow[]> {
    return this.#parts.leaderboard.top()
  }
}
