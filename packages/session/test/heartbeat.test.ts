import { seededRandom, SteppedClock } from '@rts/testing'
import { expect, test } from 'vitest'
import { Heartbeat } from '../src/heartbeat.ts'
import { bytes, World } from './support/world.ts'

function setUp(seed = 1) {
  const clock = new SteppedClock()
  const pings: { time: number; atMs: number }[] = []
  const silences: number[] = []
  const heartbeat = new Heartbeat(clock, seededRandom(seed), {
    ping: (time) => pings.push({ time, atMs: clock.now() }) > 0,
    silent: (ms) => silences.push(ms),
  })
  return { clock, heartbeat, pings, silences }
}

test('beats are jittered: the first anywhere in the interval, the others in its last quarter', async () => {
  const firsts: number[] = []
  const gaps: number[] = []
  for (let seed = 0; seed < 30; seed++) {
    const { clock, heartbeat, pings } = setUp(seed)
    heartbeat.start(1000, 1_000_000)
    for (let i = 0; i < 50; i++) {
      await clock.advance(100)
      heartbeat.pong(pings.at(-1)?.time ?? -1)
    }
    firsts.push(pings[0]?.atMs ?? -1)
    pings.slice(1).forEach(({ atMs }, i) => gaps.push(atMs - (pings[i]?.atMs ?? 0)))
    heartbeat.stop()
    expect(clock.pending).toBe(0)
  }
  expect(Math.max(...firsts)).toBeLessThanOrEqual(1000)
  expect(Math.max(...firsts) - Math.min(...firsts)).toBeGreaterThan(700)
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(749)
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1001)
})

test('silence is noticed when the timeout is over, and only once', async () => {
  const { clock, heartbeat, silences } = setUp()
  heartbeat.start(1000, 2500)
  await clock.advance(2499)
  expect(silences).toEqual([])
  await clock.advance(10_000)
  expect(silences).toEqual([2500])
})

test('any frame counts as life', async () => {
  const { clock, heartbeat, silences } = setUp()
  heartbeat.start(1000, 2500)
  for (let i = 0; i < 20; i++) {
    await clock.advance(2000)
    heartbeat.heard()
  }
  expect(silences).toEqual([])
  await clock.advance(2500)
  expect(silences).toEqual([2500])
})

test('a process that was asleep itself gives the other end one more interval', async () => {
  const { clock, heartbeat, silences } = setUp()
  heartbeat.start(1000, 2500)
  clock.suspend(60_000)
  await clock.settle()
  expect(silences).toEqual([])
  heartbeat.heard()
  await clock.advance(2400)
  expect(silences).toEqual([])

  heartbeat.start(1000, 2500)
  clock.suspend(60_000)
  await clock.settle()
  await clock.advance(1000)
  expect(silences).toHaveLength(1)
})

test('the round trip is measured and smoothed with a gain of one eighth', async () => {
  const { clock, heartbeat, pings } = setUp()
  heartbeat.start(1000, 1_000_000)
  const answer = async (afterMs: number): Promise<number | undefined> => {
    const count = pings.length
    await clock.runUntil(() => pings.length > count)
    await clock.advance(afterMs)
    return heartbeat.pong(pings.at(-1)?.time ?? -1)
  }
  expect(heartbeat.rttMs).toBeUndefined()
  expect(await answer(80)).toBe(80)
  expect(heartbeat.rttMs).toBe(80)
  expect(await answer(160)).toBe(160)
  expect(heartbeat.rttMs).toBe(90)
})

test('the next ping waits until the last one is answered', async () => {
  const { clock, heartbeat, pings } = setUp()
  heartbeat.start(1000, 1_000_000)
  await clock.advance(10_000)
  expect(pings).toHaveLength(1)
  heartbeat.pong(pings[0]?.time ?? -1)
  await clock.advance(1000)
  expect(pings).toHaveLength(2)
})

test('a pong that answers no open ping measures nothing', async () => {
  const { clock, heartbeat, pings } = setUp()
  heartbeat.start(1000, 1_000_000)
  await clock.advance(1000)
  const { time } = pings[0] ?? { time: -1 }
  expect(heartbeat.pong(time + 1)).toBeUndefined()
  expect(heartbeat.pong(time)).toBeDefined()
  expect(heartbeat.pong(time)).toBeUndefined()
  expect(heartbeat.rttMs).toBeDefined()
})

test('both ends of a session measure the way there and back', async () => {
  const world = new World({ wire: { delayMs: 40 }, heartbeatMs: 1000 })
  const { client, session } = await world.open()
  const rtts: number[] = []
  client.on('rtt', ({ rttMs }) => rtts.push(rttMs))
  session.on('rtt', ({ smoothedMs }) => rtts.push(smoothedMs))
  await world.clock.advance(3000)
  expect(rtts.length).toBeGreaterThan(4)
  expect(new Set(rtts)).toEqual(new Set([80]))
  expect([client.stats().rttMs, session.stats().rttMs]).toEqual([80, 80])
})

test('an idle session lives on pings alone', async () => {
  const world = new World({ heartbeatMs: 1000 })
  const { client, session } = await world.open()
  await world.clock.advance(600_000)
  expect([client.state, session.state, session.linkEpoch]).toEqual(['open', 'open', 1])
})

test.each([
  ['up', 'lost 4001 of link 1'],
  ['down', 'lost 4001 of link 1'],
  ['both', 'lost 4001 of link 1'],
] as const)(
  'a link half open (%s is swallowed) is noticed by both ends',
  async (direction, heard) => {
    const world = new World({ heartbeatMs: 1000, heartbeatTimeoutMs: 2500 })
    const { client, session, wire, serverLog } = await world.open()
    wire.swallow(direction)
    await world.clock.advance(6000)
    expect([client.state, session.state]).toEqual(['waiting', 'waiting'])
    expect(direction === 'both' ? serverLog.at(-1) : heard).toBe(heard)
    world.attach(client)
    await world.clock.advance(10)
    expect([client.state, session.state]).toEqual(['open', 'open'])
  },
)

test('traffic in one direction alone keeps the link, by its acknowledgements', async () => {
  const world = new World({ heartbeatMs: 1000, heartbeatTimeoutMs: 2500 })
  const { client, session } = await world.open()
  for (let i = 0; i < 100; i++) {
    session.send('game', bytes('tick'), 'state')
    await world.clock.advance(100)
  }
  expect(client.state).toBe('open')
})
