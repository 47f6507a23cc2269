import { formatReport } from '@rts/bots'
import { seededRandom, TcpFaultProxy, UdpFaultProxy } from '@rts/testing'
import { expect, test } from 'vitest'
import { judgeBots, playWithBots } from '../bots/run.ts'
import { gateUrl, runArena } from './running-arena.ts'

const BOTS = 50
const SPREAD_MS = 4000

/** What lies between the bots and their gate. */
interface Line extends AsyncDisposable {
  url(): string
  /** Each player's way to the gate becomes another one, at some time within the spread. */
  disturb(): void
  /** What it has done to the players so far. */
  faults(): { disturbances: number; lost: number }
}

type Target = { readonly host: string; readonly port: number }

async function tcpLine(target: Target): Promise<Line> {
  const proxy = await TcpFaultProxy.listen({ target })
  const random = seededRandom(1)
  let disturbances = 0
  return {
    url: () => proxy.url(),
    disturb() {
      for (const link of proxy.links) {
        setTimeout(() => {
          disturbances += 1
          link.cut()
        }, random.next() * SPREAD_MS)
      }
    },
    faults: () => ({ disturbances, lost: 0 }),
    [Symbol.asyncDispose]: () => proxy.close(),
  }
}

async function kcpLine(target: Target): Promise<Line> {
  const proxy = await UdpFaultProxy.listen({ target, random: seededRandom(1) })
  proxy.loss(0.1)
  let disturbances = 0
  return {
    url: () => proxy.url('kcp'),
    disturb() {
      disturbances += proxy.stats().clients
      void proxy.rebind()
    },
    faults: () => ({
      disturbances,
      lost: proxy.stats().toTarget.lost + proxy.stats().toClient.lost,
    }),
    [Symbol.asyncDispose]: () => proxy.close(),
  }
}

test.each([
  {
    name: 'for 20 s over TCP, each link cut twice',
    scheme: 'tcp',
    open: tcpLine,
    seconds: 20,
    disturbAtMs: [5000, 11_000],
    resumes: 2 * BOTS,
    leastLost: 0,
    p99Ms: 150,
  },
  {
    name: 'for 12 s over KCP, a tenth of all datagrams lost, each moved to another address twice',
    scheme: 'kcp',
    open: kcpLine,
    seconds: 12,
    disturbAtMs: [4000, 8000],
    // A session that moves is not lost and need not be resumed.
    resumes: 0,
    leastLost: 1000,
    // A resend takes a while, and so does a move.
    p99Ms: 300,
  },
] as const)(
  '50 bots play $name: no error, nothing reliable lost, doubled or late',
  async ({ scheme, open, seconds, disturbAtMs, resumes, p99Ms, leastLost }) => {
    await using running = await runArena()
    const { hostname, port } = new URL(gateUrl(running.arena, scheme))
    expect(port).toBe(new URL(gateUrl(running.arena, 'tcp')).port)
    await using line = await open({ host: hostname, port: Number(port) })
    for (const at of disturbAtMs) setTimeout(() => line.disturb(), at)
    const report = await playWithBots({
      server: running.arena.loginUrl,
      count: BOTS,
      durationMs: seconds * 1000,
      gate: (url) => (url.startsWith(`${scheme}:`) ? line.url() : undefined),
    })
    console.log(formatReport(report))
    expect(report.errors).toEqual({})
    expect(report).toMatchObject({ bots: BOTS, finished: BOTS, failed: 0 })
    expect(line.faults().disturbances).toBe(2 * BOTS)
    expect(line.faults().lost).toBeGreaterThanOrEqual(leastLost)
    expect(report.counters['resumes'] ?? 0).toBe(resumes)
    expect(judgeBots(report, p99Ms).misses).toEqual([])
  },
)

test('bots play over WebSocket as well', async () => {
  await using running = await runArena()
  const report = await playWithBots({
    server: running.arena.loginUrl,
    count: 5,
    durationMs: 3000,
    transport: 'ws',
  })
  expect(report.errors).toEqual({})
  expect(judgeBots(report).misses).toEqual([])
})
