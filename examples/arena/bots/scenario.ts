import type { Bot, Scenario } from '@rts/bots'
import type { Client } from '@rts/client'
import { ArenaPlayer } from '../src/player/arena-player.ts'
import type { ArenaState, ChatLine } from '../src/shared/player-api.ts'
import { STEP_MS } from '../src/shared/rules.ts'

/** After a link was lost, inputs are not measured until this long after it is back. */
const SETTLE_MS = 500

export interface BotLogin {
  readonly client: Client
  readonly account: string
}

export interface ScenarioOptions {
  /** Logs one bot in; the client is not connected yet. */
  login(bot: Bot): Promise<BotLogin>
  /** Milliseconds between chat lines. @defaultValue 1000 */
  readonly chatEveryMs?: number
  readonly setTimer: (delayMs: number, fn: () => void) => () => void
  /** Milliseconds that the machine has kept this process waiting so far: no latency of the game. @defaultValue 0 */
  readonly heldUpMs?: () => number
}

/** Logs in, chats, uses the bag, plays until the end, and looks at the leaderboard; checks what must hold on the way. */
export function arenaScenario(options: ScenarioOptions): Scenario {
  return async (bot) => {
    const { client, account } = await bot.measure('log in', () => options.login(bot))
    const inputs = new InputLatency(bot, client, options.heldUpMs ?? (() => 0))
    const chat = new ChatOrder(bot, client)
    const player = new ArenaPlayer(client, {
      account,
      clock: options,
      events: {
        state: (state) => inputs.seen(state, player.seat),
        chat: (line) => chat.heard(line),
        matchOver: () => bot.count('matches'),
      },
    })
    client.on('resumed', ({ recovered }) => {
      bot.count('resumes')
      bot.check(recovered, 'a session was resumed, but not recovered')
    })
    client.on('closed', ({ reason }) =>
      bot.check(bot.signal.aborted, `the connection closed: ${reason}`),
    )
    try {
      await bot.measure('connect', () => client.connect())
      const welcome = await bot.measure('enter the lobby', () => player.start())
      const potions = welcome.items.find(({ item }) => item === 'potion')?.count ?? 0
      if (potions > 0) {
        const left = await player.avatar.bag.use('potion')
        bot.check(left === potions - 1, `the bag had ${potions} potions and now ${left}`)
      }
      await bot.measure('find a seat', () => player.play())
      await play(bot, player, inputs, options.chatEveryMs ?? 1000)
      player.leave()
      const top = await player.desk.leaderboard()
      bot.check(Array.isArray(top), 'the leaderboard is no list')
    } finally {
      client.close()
    }
  }
}

async function play(
  bot: Bot,
  player: ArenaPlayer,
  inputs: InputLatency,
  chatEveryMs: number,
): Promise<void> {
  let turn = 0
  let chatAt = bot.now() + chatEveryMs * bot.random()
  let line = 0
  while (!bot.signal.aborted) {
    if (player.phase === 'lobby') await player.play()
    if (bot.random() < 0.1) turn = bot.random() * 2 - 1
    if (player.phase === 'playing') {
      inputs.sent(player.steer({ turn, thrust: bot.random() < 0.7, fire: bot.random() < 0.5 }))
      bot.count('inputs')
    }
    if (bot.now() >= chatAt) {
      chatAt += chatEveryMs
      line += 1
      player.desk.say(`#${line}`).catch((error: unknown) => bot.error(error))
    }
    await bot.sleep(STEP_MS)
  }
}

/** Time from an input to the state that contains it, outside of cuts and of what the machine took. */
class InputLatency {
  readonly #bot: Bot
  readonly #heldUpMs: () => number
  readonly #sent = new Map<number, { readonly at: number; readonly heldUpMs: number }>()
  #measureFrom = 0

  constructor(bot: Bot, client: Client, heldUpMs: () => number) {
    this.#bot = bot
    this.#heldUpMs = heldUpMs
    const pause = (): void => {
      this.#sent.clear()
      this.#measureFrom = Infinity
    }
    const resume = (): void => {
      this.#measureFrom = bot.now() + SETTLE_MS
    }
    client.on('lost', pause)
    client.on('resumed', resume)
    client.on('opened', resume)
    client.on('route', ({ name, state }) => {
      if (name !== 'game') return
      if (state === 'bound') resume()
      else pause()
    })
  }

  sent(seq: number): void {
    const at = this.#bot.now()
    if (at >= this.#measureFrom) this.#sent.set(seq, { at, heldUpMs: this.#heldUpMs() })
  }

  seen(state: ArenaState, seat: number | undefined): void {
    this.#bot.count('states')
    const acked = state.ships.find(([shipSeat]) => shipSeat === seat)?.[6] ?? 0
    for (const [seq, sent] of this.#sent) {
      if (seq > acked) continue
      this.#sent.delete(seq)
      const heldUpMs = this.#heldUpMs() - sent.heldUpMs
      this.#bot.record('input to state', Math.max(0, this.#bot.now() - sent.at - heldUpMs))
      if (heldUpMs > 0) this.#bot.record('(held up meanwhile)', heldUpMs)
    }
  }
}

/** Every sender's lines carry a number: they must come in order, each once, none missing. */
class ChatOrder {
  readonly #bot: Bot
  readonly #last = new Map<string, number>()

  constructor(bot: Bot, client: Client) {
    this.#bot = bot
    // A session that lost something, or a new one, starts counting anew; that itself is checked elsewhere.
    client.on('opened', () => this.#last.clear())
    client.on('resumed', ({ recovered }) => {
      if (!recovered) this.#last.clear()
    })
  }

  heard({ from, text }: ChatLine): void {
    const number = Number(/^#(\d+)$/.exec(text)?.[1])
    if (Number.isNaN(number)) return
    const last = this.#last.get(from)
    this.#last.set(from, number)
    this.#bot.count('chat lines')
    if (last === undefined || number === last + 1) return
    this.#bot.error(number <= last ? 'a chat line came twice or late' : 'a chat line was lost')
  }
}
