import { Bot } from './bot.ts'
import { systemClock, type Clock } from './clock.ts'
import { Recorder } from './recorder.ts'
import type { BotReport } from './report.ts'

/** What one bot does from login to leaving. It ends by returning; a throw counts the bot as failed. */
export type Scenario = (bot: Bot) => Promise<void>

export interface RunBotsOptions {
  readonly scenario: Scenario
  /** Bots to run. A whole number from 1. */
  readonly count: number
  /** Ends every scenario's `signal` after this many ms. @defaultValue until all scenarios have ended */
  readonly durationMs?: number
  /** The bots start evenly spread over this many ms. @defaultValue 1000 */
  readonly rampMs?: number
  /** After the end of the run, a scenario has this long to return before it counts as failed. @defaultValue 5000 */
  readonly graceMs?: number
  /** Seed of every bot's `random`. @defaultValue 1 */
  readonly seed?: number
  /** Names bots `bot_1`, `bot_2`, ... @defaultValue 'bot' */
  readonly namePrefix?: string
  /** Ends the run early. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/**
 * Runs bots side by side and reports what they measured. It never rejects: what goes wrong inside a scenario is in the
 * report.
 *
 * @throws RangeError when `count` is not a whole number from 1.
 */
export async function runBots(options: RunBotsOptions): Promise<BotReport> {
  const { count, scenario, clock = systemClock, rampMs = 1000, graceMs = 5000, seed = 1 } = options
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`count must be a whole number from 1, not ${count}`)
  }
  const recorder = new Recorder()
  const began = clock.now()
  const end = new AbortController()
  const finish = (): void => end.abort()
  options.signal?.addEventListener('abort', finish, { once: true })
  if (options.signal?.aborted === true) finish()
  const cancelEnd =
    options.durationMs === undefined ? undefined : clock.setTimer(options.durationMs, finish)

  let finished = 0
  let failed = 0
  const one = async (index: number): Promise<void> => {
    const bot = new Bot(index, {
      name: `${options.namePrefix ?? 'bot'}_${index + 1}`,
      signal: end.signal,
      random: mulberry32(seed * 0x9e3779b1 + index),
      clock,
      recorder,
    })
    await bot.sleep((rampMs * index) / count)
    try {
      await endsInTime(bot, scenario(bot), graceMs, clock)
      finished += 1
    } catch (error) {
      failed += 1
      recorder.error(error)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, index) => one(index)))
  cancelEnd?.()
  options.signal?.removeEventListener('abort', finish)
  return {
    bots: count,
    finished,
    failed,
    durationMs: clock.now() - began,
    latencies: recorder.latencies(),
    counters: recorder.counters(),
    errors: recorder.errors(),
  }
}

/** Rejects when `work` has not ended `graceMs` after the bot's signal fired. */
function endsInTime(bot: Bot, work: Promise<void>, graceMs: number, clock: Clock): Promise<void> {
  const { signal } = bot
  return new Promise((resolve, reject) => {
    let cancel = (): void => {}
    const onEnd = (): void => {
      cancel = clock.setTimer(graceMs, () => {
        const at = bot.underWay.map((name) => ` at "${name}"`).join(' and')
        reject(
          new Error(`the scenario did not return within ${graceMs} ms of the end${at && `:${at}`}`),
        )
      })
    }
    const settle = (): void => {
      cancel()
      signal.removeEventListener('abort', onEnd)
    }
    if (signal.aborted) onEnd()
    else signal.addEventListener('abort', onEnd, { once: true })
    work.then(resolve, reject).finally(settle)
  })
}

/** Tommy Ettinger's 32-bit generator: small, seedable and good enough for the choices of a bot. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
