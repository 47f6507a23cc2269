import { SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { judge, runBots, type Bot, type BotReport, type RunBotsOptions } from '../src/index.ts'

/** Runs bots under a stepped clock, as fast as the machine can. */
async function run(options: Omit<RunBotsOptions, 'clock'>): Promise<BotReport> {
  const clock = new SteppedClock()
  let report: BotReport | undefined
  void runBots({ ...options, clock }).then((result) => (report = result))
  await clock.runUntil(() => report !== undefined, { limitMs: 60_000 })
  return report!
}

test('starts the bots evenly over the ramp', async () => {
  const starts: number[] = []
  await run({ count: 4, rampMs: 1000, scenario: async (bot) => void starts.push(bot.now()) })
  expect(starts.map((at) => at - starts[0]!)).toEqual([0, 250, 500, 750])
})

test('reports latencies, counters and failed checks of all bots together', async () => {
  const report = await run({
    count: 3,
    scenario: async (bot: Bot) => {
      await bot.measure('nap', () => bot.sleep(20 * (bot.index + 1)))
      bot.count('naps')
      bot.check(bot.index !== 1, 'the second bot is unhappy')
    },
  })
  expect(report).toMatchObject({ bots: 3, finished: 3, failed: 0, counters: { naps: 3 } })
  expect(report.errors).toEqual({ 'the second bot is unhappy': 1 })
  expect(report.latencies['nap']).toMatchObject({ count: 3, maxMs: 60 })
})

test('a scenario that throws fails its bot and no other, and is told by code', async () => {
  const refused = Object.assign(new Error('wrong password'), { code: 'HTTP_UNAUTHORIZED' })
  const report = await run({
    count: 3,
    scenario: async (bot) => {
      if (bot.index === 0) throw refused
    },
  })
  expect(report).toMatchObject({
    finished: 2,
    failed: 1,
    errors: { 'HTTP_UNAUTHORIZED: wrong password': 1 },
  })
})

test('the end of the run aborts the signal, and a scenario that does not heed it fails', async () => {
  const report = await run({
    count: 3,
    durationMs: 2000,
    graceMs: 300,
    scenario: (bot) =>
      bot.index === 0
        ? new Promise(() => {})
        : bot.index === 1
          ? bot.measure('log in', () => bot.measure('connect', () => new Promise(() => {})))
          : new Promise((resolve) => bot.signal.addEventListener('abort', () => resolve())),
  })
  expect(report).toMatchObject({ finished: 1, failed: 2 })
  expect(Object.keys(report.errors)).toEqual([
    'the scenario did not return within 300 ms of the end',
    'the scenario did not return within 300 ms of the end: at "log in" and at "connect"',
  ])
})

test('the same seed gives every bot the same choices', async () => {
  const choices = async (seed: number): Promise<number[]> => {
    const seen: number[] = []
    await run({
      count: 3,
      seed,
      scenario: async (bot) => void seen.push(bot.random(), bot.random()),
    })
    return seen
  }
  expect(await choices(7)).toEqual(await choices(7))
  expect(await choices(7)).not.toEqual(await choices(8))
})

test('refuses a count that is no whole number from 1', async () => {
  await expect(runBots({ count: 0, scenario: async () => {} })).rejects.toThrow(RangeError)
})

test('the verdict names each expectation that was missed', async () => {
  const report = await run({
    count: 1,
    scenario: async (bot) => {
      bot.record('input', 40)
      bot.count('kills', 2)
      bot.check(false, 'odd')
    },
  })
  const verdict = judge(report, {
    latencies: { input: { p99Ms: 30, maxMs: 50 }, never: { p50Ms: 1 } },
    atLeast: { kills: 3 },
    atMost: { kills: 1 },
  })
  expect(verdict.passed).toBe(false)
  expect(verdict.misses).toEqual([
    '1 errors, at most 0 may be',
    'input p99 is 40.0 ms, at most 30 ms is wanted',
    '"never" was never measured',
    'kills is 2, at least 3 is wanted',
    'kills is 2, at most 1 is allowed',
  ])
  expect(judge(report, { errors: 1 })).toEqual({ passed: true, misses: [] })
})
