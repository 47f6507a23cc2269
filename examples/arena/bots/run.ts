import { judge, runBots, type BotReport, type Verdict } from '@rts/bots'
import { nodeClient } from '@rts/client/node'
import type { Transport } from '@rts/rpc'
import { login, logins } from '../src/player/login.ts'
import { heldUpMeter } from './held-up.ts'
import { arenaScenario, type BotLogin } from './scenario.ts'

export interface BotRun {
  /** Where bots log in. */
  readonly server: string
  readonly count: number
  readonly durationMs?: number
  readonly rampMs?: number
  readonly signal?: AbortSignal
  readonly namePrefix?: string
  /** What bots connect by. @defaultValue 'tcp' */
  readonly transport?: 'tcp' | 'kcp' | 'ws'
  /** Rewrites a gate's address, for instance to one of a fault proxy; undefined drops it. @defaultValue those of `transport`, as they are */
  readonly gate?: (url: string) => string | undefined
  /** What one bot dials with. @defaultValue what `nodeClient` has */
  readonly dialer?: () => Transport
}

/** Runs bots against a running arena over real sockets. */
export function playWithBots(run: BotRun): Promise<BotReport> {
  const {
    server,
    count,
    durationMs,
    rampMs = 1000,
    signal,
    namePrefix = 'bot',
    transport = 'tcp',
    gate = (url) => (url.startsWith(`${transport}:`) ? url : undefined),
  } = run
  return runBots({
    count,
    rampMs,
    namePrefix,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(signal === undefined ? {} : { signal }),
    scenario: arenaScenario({
      login: () => botLogin(server, gate, run.dialer?.()),
      // Not unref'ed: bots keep their process alive.
      setTimer: (delayMs, fn) => {
        const timer = setTimeout(fn, delayMs)
        return () => clearTimeout(timer)
      },
      heldUpMs: heldUpMeter(),
    }),
  })
}

async function botLogin(
  server: string,
  gate: (url: string) => string | undefined,
  transport: Transport | undefined,
): Promise<BotLogin> {
  const first = await login(server, '/guest')
  const { account, name, password = '' } = first
  const { gates, ticket } = logins(first, () => login(server, '/login', { name, password }))
  const client = nodeClient({
    gates: async () => (await gates()).map(gate).filter((url) => url !== undefined),
    ticket,
    ...(transport === undefined ? {} : { transports: [transport] }),
  })
  return { client, account }
}

/** What a run must show to pass: no errors, and state that comes back in time. */
export function judgeBots(report: BotReport, inputToStateP99Ms = 150): Verdict {
  return judge(report, {
    latencies: { 'input to state': { p99Ms: inputToStateP99Ms } },
    atLeast: { inputs: report.bots, states: report.bots, 'chat lines': 1 },
  })
}
