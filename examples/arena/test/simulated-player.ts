import type { Client } from '@rts/client'
import { ArenaPlayer } from '../src/player/arena-player.ts'
import type { ChatLine } from '../src/shared/player-api.ts'
import type { SimulatedArena } from './simulated-arena.ts'

/** A player of the simulated arena who notes all that happens and checks what must hold. */
export class SimulatedPlayer {
  readonly name: string
  readonly client: Client
  readonly player: ArenaPlayer
  readonly violations: string[] = []
  states = 0
  /** Entered the lobby. */
  isIn = false
  callsBegun = 0
  callsSettled = 0
  /** Lines whose call failed: they may have been said or not. */
  readonly doubtful = new Set<number>()
  #lines = 0
  readonly #heard = new Map<string, number>()
  readonly #arena: SimulatedArena
  readonly #others: ReadonlyMap<string, SimulatedPlayer>

  constructor(name: string, arena: SimulatedArena, others: ReadonlyMap<string, SimulatedPlayer>) {
    this.name = name
    this.#arena = arena
    this.#others = others
    this.client = arena.client(name)
    this.player = new ArenaPlayer(this.client, {
      account: name,
      clock: arena.clock,
      events: {
        state: ({ step, ships }) => {
          this.states += 1
          arena.note(`${name} state ${step} ${JSON.stringify(ships)}`)
        },
        chat: (line) => this.#hear(line),
        phase: (phase) => arena.note(`${name} ${phase}`),
        matchOver: () => arena.note(`${name} match over`),
      },
    })
    const startOver = (): void => this.#heard.clear()
    this.client.on('opened', startOver)
    this.client.on('resumed', ({ recovered }) => {
      arena.note(`${name} resumed ${recovered}`)
      if (!recovered) startOver()
    })
    this.client.on('route', ({ name: route, state, epoch }) => {
      arena.note(`${name} ${route} ${state} ${epoch}`)
      // A binding that ended may have taken lines along; it is told, and counting starts anew.
      if (route === 'lobby') startOver()
    })
    this.client.on('closed', ({ reason }) => arena.note(`${name} closed ${reason}`))
  }

  start(): void {
    void this.player.start().then(() => (this.isIn = true))
  }

  /** A call that must settle, whatever happens. */
  call(work: Promise<unknown>, failed: (error: unknown) => void = () => {}): void {
    this.callsBegun += 1
    work.catch(failed).finally(() => (this.callsSettled += 1))
  }

  say(): void {
    const line = (this.#lines += 1)
    this.call(this.player.desk.say(`#${line}`), (error) => {
      this.doubtful.add(line)
      this.#arena.note(`${this.name} line ${line} failed ${(error as { code?: string }).code}`)
    })
  }

  steer(): void {
    if (this.player.phase !== 'playing') return
    const { random } = this.#arena
    this.player.steer({
      turn: random.next() * 2 - 1,
      thrust: random.next() < 0.7,
      fire: random.next() < 0.5,
    })
  }

  #hear({ from, text }: ChatLine): void {
    const line = Number(text.slice(1))
    const last = this.#heard.get(from)
    this.#heard.set(from, line)
    this.#arena.note(`${this.name} hears ${from} ${text}`)
    if (last === undefined) return
    if (line <= last)
      this.violations.push(`${this.name} heard line ${line} of ${from} after ${last}`)
    for (let missed = last + 1; missed < line; missed += 1) {
      if (this.#others.get(from)?.doubtful.has(missed) !== true) {
        this.violations.push(`${this.name} missed line ${missed} of ${from}`)
      }
    }
  }
}
