import { Component, json } from '@rts/ecs'
import type { RpcTable } from '@rts/rpc'

export interface BagItem {
  readonly item: string
  readonly count: number
}

/** What a player owns. It is saved with the avatar. */
export class Bag extends Component.with({ items: json<Record<string, number>>({}).persist() }) {
  static readonly rpc = {
    list: 'player',
    use: 'player',
    grant: ['server', 'admin'],
  } as const satisfies RpcTable<Bag>

  list(): BagItem[] {
    return Object.entries(this.items).map(([item, count]) => ({ item, count }))
  }

  /** Uses one up; returns how many are left. */
  use(item: string): number {
    const left = this.#countOf(item) - 1
    if (left < 0) {
      throw Object.assign(new Error(`no "${item}" in the bag`), { code: 'ARENA_NO_ITEM' })
    }
    this.#set(item, left)
    return left
  }

  grant(item: string, count: number): void {
    this.#set(item, this.#countOf(item) + count)
  }

  #countOf(item: string): number {
    return Object.hasOwn(this.items, item) ? (this.items[item] ?? 0) : 0
  }

  #set(item: string, count: number): void {
    const others = Object.entries(this.items).filter(([name]) => name !== item)
    this.items = Object.fromEntries(count > 0 ? [...others, [item, count]] : others)
  }
}
