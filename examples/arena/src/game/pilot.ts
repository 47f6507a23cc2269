import type { PlayerSession } from '@rts/gate/backend'
import { notify, type Notify, type Remote, type RpcTable } from '@rts/rpc'
import type { GameScreen } from '../shared/player-api.ts'
import { IDLE, toControls, type Controls } from '../shared/rules.ts'

/** A player's hand on the ship. What it says is buffered until the next step of the room reads it. */
export class Pilot {
  static readonly rpc = { input: 'player', leave: 'player' } as const satisfies RpcTable<Pilot>

  readonly account: string
  readonly name: string
  readonly seat: number
  readonly session: PlayerSession
  readonly screen: Notify<Remote<typeof GameScreen>>
  readonly #onLeave: (pilot: Pilot) => void
  #controls: Controls = IDLE
  #inputSeq = 0
  /** The trigger was pulled since the last step, even if it is released by now. */
  #fired = false

  constructor(session: PlayerSession, seat: number, name: string, onLeave: (pilot: Pilot) => void) {
    this.session = session
    this.account = session.account
    this.name = name
    this.seat = seat
    this.#onLeave = onLeave
    this.screen = notify(session.remote<typeof GameScreen>('screen'))
  }

  /** The newest controls count; `seq` grows with each input and comes back in the state that contains it. */
  input(seq: number, turn: number, thrust: boolean, fire: boolean): void {
    if (!Number.isSafeInteger(seq) || seq <= this.#inputSeq) return
    this.#inputSeq = seq
    this.#controls = toControls(turn, thrust, fire)
    if (this.#controls.fire) this.#fired = true
  }

  /** Back to the lobby. */
  leave(): void {
    this.#onLeave(this)
  }

  /** What the next step applies. */
  takeControls(): { controls: Controls; seq: number } {
    const controls = { ...this.#controls, fire: this.#controls.fire || this.#fired }
    this.#fired = false
    return { controls, seq: this.#inputSeq }
  }
}
