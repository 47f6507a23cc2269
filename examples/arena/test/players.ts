import { nodeClient } from '@rts/client/node'
import { systemClock } from '@rts/rpc'
import { eventually } from '@rts/testing'
import { ArenaPlayer } from '../src/player/arena-player.ts'
import { login } from '../src/player/login.ts'
import { IDLE } from '../src/shared/rules.ts'
import { type Line, LINES } from './lines.ts'

/** A player who does nothing but stay, and remembers what happened to the connection. */
export class IdlePlayer implements Disposable {
  readonly player: ArenaPlayer
  readonly #line: Line
  logins = 0
  resumes = 0
  closed = 0
  lost = 0
  /** Times the phase left `playing`. */
  interruptions = 0
  /** When the last state came. */
  stateAt = 0
  #acked = 0
  #sent = 0

  private constructor(player: ArenaPlayer, line: Line) {
    this.player = player
    this.#line = line
  }

  static async join(server: string, line: Line): Promise<IdlePlayer> {
    const { account, ticket, gates } = await login(server, '/guest')
    let joined: IdlePlayer | undefined
    const client = nodeClient({
      gates: gates.filter((url) => url.startsWith(`${line.scheme}:`)),
      transports: [line.transport()],
      ticket: () => {
        if (joined !== undefined) joined.logins += 1
        return ticket
      },
    })
    const player = new ArenaPlayer(client, {
      account,
      clock: systemClock,
      events: {
        state: ({ ships }) => {
          idle.stateAt = performance.now()
          idle.#acked = ships.find(([seat]) => seat === player.seat)?.[6] ?? 0
        },
        phase: (phase) => {
          if (phase === 'joining' && idle.stateAt > 0) idle.interruptions += 1
        },
      },
    })
    const idle = new IdlePlayer(player, line)
    client.on('closed', () => (idle.closed += 1))
    client.on('lost', () => (idle.lost += 1))
    client.on('resumed', () => (idle.resumes += 1))
    await player.start()
    joined = idle
    await player.play()
    return idle
  }

  /** An input sent after this call comes back in a state, within this time and what the line may add. */
  async plays(timeoutMs: number): Promise<void> {
    this.#acked = 0
    this.#sent = Infinity
    await eventually(
      () => {
        const { phase } = this.player
        if (phase !== 'playing')
          throw new Error(`it is ${phase}, after ${this.interruptions} interruptions`)
        if (this.#acked >= this.#sent) return true
        const seq = this.player.steer(IDLE)
        this.#sent = Math.min(this.#sent, seq)
        throw new Error(`input ${this.#sent} is not acknowledged at ${seq}`)
      },
      {
        timeoutMs: timeoutMs + this.#line.extraMs,
        message: `the player over ${this.#line.name} does not play`,
      },
    )
  }

  [Symbol.dispose](): void {
    void this.player.client.close()
  }
}

/** Players who all play; disposed together. */
export class IdlePlayers implements Disposable {
  readonly all: readonly IdlePlayer[]

  private constructor(all: readonly IdlePlayer[]) {
    this.all = all
  }

  /** Over these lines by turns. */
  static async join(server: string, count: number, lines = LINES): Promise<IdlePlayers> {
    const all = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        IdlePlayer.join(server, lines[index % lines.length]!),
      ),
    )
    const players = new IdlePlayers(all)
    await players.play(5000)
    return players
  }

  /** Settles when an input of each has come back; returns how long that took. */
  async play(timeoutMs: number): Promise<number> {
    const began = performance.now()
    await Promise.all(this.all.map((player) => player.plays(timeoutMs)))
    return performance.now() - began
  }

  sum(of: 'logins' | 'resumes' | 'closed' | 'lost' | 'interruptions'): number {
    return this.all.reduce((sum, player) => sum + player[of], 0)
  }

  [Symbol.dispose](): void {
    for (const player of this.all) player[Symbol.dispose]()
  }
}
