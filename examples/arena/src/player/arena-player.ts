import type { Client } from '@rts/client'
import { notify, type Clock, type Notify, type Remote } from '@rts/rpc'
import {
  GameScreen,
  LobbyScreen,
  type ArenaState,
  type ChatLine,
  type RankRow,
  type Seat,
} from '../shared/player-api.ts'
import type { Controls } from '../shared/rules.ts'
import type { Avatar, LobbyDesk, Pilot, Welcome } from '../shared/server-api.ts'

const RETRY_MS = 250

/** What a page or a bot hears of its player. */
export interface PlayerEvents {
  state(state: ArenaState): void
  roster(seats: readonly Seat[]): void
  chat(line: ChatLine): void
  matchOver(ranking: readonly RankRow[]): void
  phase(phase: Phase): void
}
export type Phase = 'lobby' | 'joining' | 'playing'

/**
 * One player of the arena, without a face: the page draws it, a bot plays it. It asks for a new seat by itself when the game
 * node or the session was lost.
 */
export class ArenaPlayer {
  readonly client: Client
  readonly account: string
  readonly desk: Remote<typeof LobbyDesk, 'player'>
  readonly avatar: Remote<typeof Avatar, 'player'>
  readonly #pilot: Notify<Remote<typeof Pilot, 'player'>>
  readonly #clock: Pick<Clock, 'setTimer'>
  readonly #events: Partial<PlayerEvents>
  #phase: Phase = 'lobby'
  #seats: readonly Seat[] = []
  #inputSeq = 0
  #joining: Promise<void> | undefined

  constructor(
    client: Client,
    options: { account: string; clock: Pick<Clock, 'setTimer'>; events?: Partial<PlayerEvents> },
  ) {
    this.client = client
    this.account = options.account
    this.#clock = options.clock
    this.#events = options.events ?? {}
    this.desk = client.remote<typeof LobbyDesk>('lobby', 'desk')
    this.avatar = client.remote<typeof Avatar>('lobby', 'avatar')
    this.#pilot = notify(client.remote<typeof Pilot>('game', 'pilot'))
    client.expose('screen', this.#screen())
    client.on('route', ({ name, state }) => {
      if (name === 'game' && state !== 'bound' && this.#phase === 'playing') void this.play()
    })
  }

  get phase(): Phase {
    return this.#phase
  }

  /** The seat of the own ship while playing. */
  get seat(): number | undefined {
    return this.#seats.find(({ account }) => account === this.account)?.seat
  }

  /** Connects and enters the lobby. */
  async start(): Promise<Welcome> {
    await this.client.connect()
    return this.desk.enter()
  }

  /** Finds a seat and settles once the player has it; tries until it works or the client is closed. */
  play(): Promise<void> {
    return (this.#joining ??= this.#join().finally(() => (this.#joining = undefined)))
  }

  /** Sends what is held down now; the state that contains it carries the number returned. */
  steer({ turn, thrust, fire }: Controls): number {
    this.#inputSeq += 1
    this.#pilot.input(this.#inputSeq, turn, thrust, fire)
    return this.#inputSeq
  }

  /** Back to the lobby. */
  leave(): void {
    this.#setPhase('lobby')
    this.#pilot.leave()
  }

  async #join(): Promise<void> {
    this.#setPhase('joining')
    this.#seats = []
    while (this.client.state !== 'closed') {
      try {
        await this.desk.play()
        if (this.client.route('game').state === 'bound') return this.#setPhase('playing')
      } catch {
        // The lobby may be moving or every game node starting: ask again.
      }
      await new Promise<void>((resolve) => void this.#clock.setTimer(RETRY_MS, resolve))
    }
  }

  #setPhase(phase: Phase): void {
    if (this.#phase === phase) return
    this.#phase = phase
    this.#events.phase?.(phase)
  }

  #screen(): GameScreen & LobbyScreen {
    const screen: Screen = new Screen({
      ...this.#events,
      roster: (seats) => {
        this.#seats = seats
        this.#events.roster?.(seats)
      },
      matchOver: (ranking) => {
        this.#setPhase('lobby')
        this.#events.matchOver?.(ranking)
      },
    })
    return screen
  }
}

/** What servers call. */
class Screen implements GameScreen, LobbyScreen {
  static readonly rpc = { ...GameScreen.rpc, ...LobbyScreen.rpc }
  readonly #events: Partial<PlayerEvents>

  constructor(events: Partial<PlayerEvents>) {
    this.#events = events
  }

  state(state: ArenaState): void {
    this.#events.state?.(state)
  }

  roster(seats: readonly Seat[]): void {
    this.#events.roster?.(seats)
  }

  matchOver(ranking: readonly RankRow[]): void {
    this.#events.matchOver?.(ranking)
  }

  chat(line: ChatLine): void {
    this.#events.chat?.(line)
  }
}
