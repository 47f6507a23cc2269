import type { EntityStore } from '@rts/store'
import type { EntityData } from '@rts/ecs'
import type { RankRow } from '../shared/player-api.ts'

const SHOWN = 10
const READ_AT_MOST = 10_000
const KEPT_MS = 1000

/** The best players of all lobbies, read from the saved avatars at most once a second. */
export class Leaderboard {
  readonly #store: EntityStore
  readonly #now: () => number
  #rows: Promise<RankRow[]> = Promise.resolve([])
  #readAt = -Infinity

  constructor(store: EntityStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  top(): Promise<RankRow[]> {
    if (this.#now() - this.#readAt >= KEPT_MS) {
      this.#readAt = this.#now()
      this.#rows = this.#read()
    }
    return this.#rows
  }

  async #read(): Promise<RankRow[]> {
    const avatars = (await this.#store.list?.('avatar', { limit: READ_AT_MOST })) ?? []
    return avatars
      .map(({ data }) => {
        const profile = (data as EntityData)['profile']
        return { name: String(profile?.['name']), score: Number(profile?.['score'] ?? 0) }
      })
      .sort((a, b) => b.score - a.score)
      .slice(0, SHOWN)
  }
}
