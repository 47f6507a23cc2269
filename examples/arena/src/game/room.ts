import type { ClusterNode } from '@rts/cluster'
import type { PlayerSession, SessionGroup } from '@rts/gate/backend'
import { withCall, type Clock, type Random, type RpcTable } from '@rts/rpc'
import { Avatar } from '../lobby/avatar.ts'
import type { Seat } from '../shared/player-api.ts'
import { ArenaWorld } from './arena-world.ts'
import { Pilot } from './pilot.ts'

/** A seat that nobody takes within this time is free again. */
const RESERVATION_MS = 5000
/** A room without players ends after this time. */
const EMPTY_MS = 5000
const REPORT_INTERVAL_MS = 5000

export interface RoomOptions {
  readonly id: string
  readonly node: ClusterNode
  readonly group: SessionGroup
  readonly clock: Clock
  readonly random: Random
  readonly seats: number
  readonly matchSeconds: number
  /** The room is over: let go of it. */
  readonly onOver: () => void
}

/** One match: a root on a game node. It is stepped from outside, at a fixed rate. */
export class Room {
  static readonly rpc = { admit: 'server' } as const satisfies RpcTable<Room>

  readonly #options: RoomOptions
  readonly #world: ArenaWorld
  readonly #pilots = new Map<string, Pilot>()
  /** Accounts that may come, with their names and until when. */
  readonly #expected = new Map<string, { name: string; until: number }>()
  /** What the avatars have not been told yet: all points of the match, by account. */
  readonly #unreported = new Map<string, number>()
  readonly #endsAt: number
  #emptySince: number
  #reportAt: number
  #over = false

  constructor(options: RoomOptions) {
    this.#options = options
    this.#world = new ArenaWorld(options.random)
    const now = options.clock.now()
    this.#endsAt = now + options.matchSeconds * 1000
    this.#emptySince = now
    this.#reportAt = now + REPORT_INTERVAL_MS
  }

  get id(): string {
    return this.#options.id
  }

  get players(): number {
    return this.#pilots.size
  }

  get freeSeats(): number {
    return this.#over ? 0 : this.#options.seats - this.#pilots.size - this.#expected.size
  }

  /** Keeps a seat for a player who is about to come. False when the room is full or over. */
  admit(account: string, name: string): boolean {
    const now = this.#options.clock.now()
    for (const [other, { until }] of this.#expected) if (until < now) this.#expected.delete(other)
    const isKnown = this.#pilots.has(account) || this.#expected.has(account)
    if (this.#over || (!isKnown && this.freeSeats <= 0)) return false
    this.#expected.set(account, { name, until: now + RESERVATION_MS })
    return true
  }

  expects(account: string): boolean {
    return !this.#over && this.#expected.has(account)
  }

  /** Seats a player who was admitted. A second session of the same account takes over its ship. */
  enter(session: PlayerSession): void {
    const { account } = session
    const name = this.#expected.get(account)?.name ?? account
    this.#expected.delete(account)
    const before = this.#pilots.get(account)
    if (before !== undefined) this.#options.group.remove(before.session)
    const seat = before?.seat ?? this.#world.join()
    const pilot = new Pilot(session, seat, name, () => this.#leave(pilot))
    this.#pilots.set(account, pilot)
    session.expose('pilot', pilot)
    session.on('closed', () => this.#drop(pilot))
    this.#options.group.add(session)
    this.#tellRoster()
  }

  /** One step of the simulation; called at a fixed rate. */
  step(): void {
    if (this.#over) return
    for (const pilot of this.#pilots.values()) {
      const { controls, seq } = pilot.takeControls()
      this.#world.steer(pilot.seat, controls, seq)
    }
    this.#world.step()
    const now = this.#options.clock.now()
    const secondsLeft = Math.max(0, Math.ceil((this.#endsAt - now) / 1000))
    this.#options.group.notify('screen', 'state', [this.#world.state(secondsLeft)], {
      lane: 'state',
    })
    if (this.#pilots.size > 0) this.#emptySince = now
    if (now >= this.#reportAt) this.#report(now)
    if (now >= this.#endsAt) this.#finish()
    else if (now - this.#emptySince > EMPTY_MS && this.#unreported.size === 0) this.close()
  }

  /** Ends the match without a word: nobody is left, or the node stops. */
  close(): void {
    if (this.#over) return
    this.#over = true
    this.#report(this.#options.clock.now())
    this.#options.group.close()
    this.#options.onOver()
  }

  #finish(): void {
    const ranking = [...this.#pilots.values()]
      .map(({ name, seat }) => ({ name, score: this.#world.scoreOf(seat) }))
      .sort((a, b) => b.score - a.score)
    for (const pilot of this.#pilots.values()) {
      pilot.screen.matchOver(ranking)
      this.#sendBack(pilot.session)
    }
    this.close()
  }

  #leave(pilot: Pilot): void {
    this.#drop(pilot)
    this.#sendBack(pilot.session)
  }

  #drop(pilot: Pilot): void {
    if (this.#pilots.get(pilot.account) !== pilot) return
    this.#pilots.delete(pilot.account)
    this.#unreported.set(pilot.account, this.#world.scoreOf(pilot.seat))
    this.#options.group.remove(pilot.session)
    this.#world.leave(pilot.seat)
    this.#report(this.#options.clock.now())
    this.#tellRoster()
  }

  /** When the gate cannot be told, it is gone, and the session with it. */
  #sendBack(session: PlayerSession): void {
    session.unbind('game').catch((error: unknown) => {
      this.#options.node.logger.debug('a player was not sent back', {
        account: session.account,
        error,
      })
    })
  }

  #tellRoster(): void {
    const seats: Seat[] = [...this.#pilots.values()].map(({ seat, account, name }) => ({
      seat,
      account,
      name,
    }))
    this.#options.group.notify('screen', 'roster', [seats])
  }

  /** Tells the avatars what their players have earned. What fails is told again: an avatar counts nothing twice. */
  #report(now: number): void {
    this.#reportAt = now + REPORT_INTERVAL_MS
    const { node, id } = this.#options
    for (const { account, seat } of this.#pilots.values())
      this.#unreported.set(account, this.#world.scoreOf(seat))
    for (const [account, points] of this.#unreported) {
      if (points === 0) this.#unreported.delete(account)
      else {
        withCall(node.find(Avatar, account), { idempotent: true })
          .addScore(id, points)
          .then(
            () => this.#unreported.get(account) === points && this.#unreported.delete(account),
            (error: unknown) =>
              node.logger.debug('a score is told again later', { account, error }),
          )
      }
    }
  }
}
