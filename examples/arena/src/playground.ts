import { setTimeout as sleep } from 'node:timers/promises'
import { formatReport } from '@rts/bots'
import { judgeBots, playWithBots } from '../bots/run.ts'
import { Dashboard } from './dashboard.ts'

const BOTS_PER_KEY = 10
const CTRL_C = '\u0003'

export interface Playground {
  /** What is on show: title, nodes, addresses. */
  readonly banner: () => string
  readonly loginUrl: () => string
  /** More keys, with what they do; what they return is told. */
  readonly keys: readonly {
    readonly key: string
    readonly meaning: string
    readonly press: (key: string) => string | undefined
    /** Keys of one kind are listed once, under the first. */
    readonly like?: readonly string[]
  }[]
  /** Called with a function that tells an event. */
  readonly onTell?: (tell: (event: string) => void) => void
  readonly seconds: number
  readonly bots: number
}

/**
 * Lets people, or bots alone, play with a running arena, until it is asked to end; returns the exit code. With a terminal: a
 * table that stays up to date, and keys. Without: bots for some seconds, and their checks as the exit code.
 */
export async function play(playground: Playground): Promise<number> {
  const quit = new AbortController()
  const onSignal = (): void => {
    if (quit.signal.aborted) process.exit(1)
    quit.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  try {
    return await (isTerminal
      ? playByKeys(playground, quit)
      : playWithVerdict(playground, quit.signal))
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function playWithVerdict(playground: Playground, signal: AbortSignal): Promise<number> {
  console.log(playground.banner())
  console.log(`no terminal: ${playground.bots} bots play for ${playground.seconds} s\n`)
  const report = await playWithBots({
    server: playground.loginUrl(),
    count: playground.bots,
    durationMs: playground.seconds * 1000,
    signal,
  })
  console.log(formatReport(report))
  if (signal.aborted) return 0
  const { passed, misses } = judgeBots(report)
  for (const miss of misses) console.log(`missed: ${miss}`)
  console.log(`\nthe checks of the bots ${passed ? 'held' : 'did not hold'}`)
  return passed ? 0 : 1
}

async function playByKeys(playground: Playground, quit: AbortController): Promise<number> {
  const dashboard = new Dashboard(playground.banner, [
    ['b', 'add bots'],
    ...playground.keys.map(({ key, meaning }) => [key, meaning] as const),
    ['q', 'quit'],
  ])
  playground.onTell?.((event) => dashboard.tell(event))
  const runs: Promise<unknown>[] = []
  const addBots = (): void => {
    dashboard.bots += BOTS_PER_KEY
    dashboard.tell(`${BOTS_PER_KEY} bots come in`)
    const run = playWithBots({
      server: playground.loginUrl(),
      count: BOTS_PER_KEY,
      namePrefix: `bot${runs.length + 1}`,
      signal: quit.signal,
    })
    runs.push(
      run.then(
        (report) => dashboard.finished(report),
        (error: unknown) => {
          dashboard.bots -= BOTS_PER_KEY
          dashboard.tell(`! no bots: ${error instanceof Error ? error.message : String(error)}`)
        },
      ),
    )
  }
  const press = (key: string): void => {
    if (key === 'b') return addBots()
    if (key === 'q' || key === CTRL_C) return quit.abort()
    const found = playground.keys.find((other) => other.key === key || other.like?.includes(key))
    const event = found?.press(key)
    if (event !== undefined) dashboard.tell(event)
  }
  process.stdin.setRawMode(true).setEncoding('utf8').resume()
  process.stdin.on('data', (text: string) => {
    for (const key of text) press(key)
  })
  while (!quit.signal.aborted) {
    dashboard.draw()
    await sleep(500, undefined, { signal: quit.signal }).catch(() => {})
  }
  dashboard.tell('stopping')
  process.stdin.setRawMode(false).pause()
  await Promise.all(runs)
  dashboard.summary()
  return 0
}
