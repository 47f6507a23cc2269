import { Component, Entity, json, str, u32 } from '@rts/ecs'
import type { RpcTable } from '@rts/rpc'
import { Bag } from './bag.ts'

const MATCHES_REMEMBERED = 8

class Profile extends Component.with({
  name: str().persist(),
  score: u32().persist(),
  /** Points of the latest matches that are in the score already, by room. */
  matches: json<Record<string, number>>({}).persist(),
}) {}

/** A player between matches: one for each account, in whichever lobby the player is. */
export class Avatar extends Entity.with({ bag: Bag, profile: Profile }) {
  static readonly rpc = { addScore: 'server' } as const satisfies RpcTable<Avatar>
  /** Called when something that is saved has changed. */
  onChange: () => void = () => {}

  /** A game node tells all points of a match so far. It may say the same again: nothing counts twice. */
  addScore(room: string, points: number): void {
    const known = Object.entries(this.profile.matches)
    const before = known.find(([id]) => id === room)
    if (points <= (before?.[1] ?? 0)) return
    if (before === undefined) this.bag.grant('medal', 1)
    this.profile.score += points - (before?.[1] ?? 0)
    const others = known.filter(([id]) => id !== room).slice(1 - MATCHES_REMEMBERED)
    this.profile.matches = Object.fromEntries([...others, [room, points]])
  }

  override onTick(): void {
    if ((this.bag.takeDirty('persist') | this.profile.takeDirty('persist')) !== 0) this.onChange()
  }
}
