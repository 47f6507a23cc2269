import { seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { bytes, World } from './support/world.ts'

const limits = {
  messagesPerSecond: 20,
  messageBurst: 40,
  maxFrameBytes: 1000,
  bytesPerSecond: 4000,
  byteBurst: 8000,
}

test('a client that sends far too much at once is slowed down, not cut off', async () => {
  const world = new World({ limits, wire: { delayMs: 30 } })
  const { client, session, serverLog } = await world.open()
  for (let i = 0; i < 200; i++) client.send('game', bytes(`${i}`))
  await world.clock.advance(1000)
  expect(serverLog.length).toBeGreaterThanOrEqual(20)
  expect(serverLog.length).toBeLessThan(60)
  await world.clock.advance(15_000)
  expect(serverLog).toEqual(Array.from({ length: 200 }, (_, i) => `game reliable ${i}`))
  expect(session.state).toBe('open')
})

test('a backlog from a long absence is paced as well', async () => {
  const world = new World({ limits })
  const { client, session, wire } = await world.open()
  await world.clock.advance(200)
  wire.cut()
  for (let i = 0; i < 500; i++) client.send('game', bytes(`${i}`))
  world.attach(client)
  await world.clock.advance(40_000)
  expect([session.state, client.stats().unackedFrames]).toEqual(['open', 0])
})

test('large frames are paced by their bytes', async () => {
  const world = new World({ limits })
  const { client, session, serverLog } = await world.open('ada', {
    limits: { maxUnackedAgeMs: 60_000 },
  })
  for (let i = 0; i < 40; i++) client.send('game', new Uint8Array(900))
  await world.clock.advance(3000)
  expect(serverLog.length).toBeLessThan(20)
  await world.clock.advance(10_000)
  expect(serverLog).toHaveLength(40)
  expect(session.state).toBe('open')
})

test('fresh state does not wait behind a reliable backlog', async () => {
  const world = new World({ limits })
  const { client, serverLog } = await world.open()
  for (let i = 0; i < 300; i++) client.send('game', bytes(`r${i}`))
  await world.clock.advance(2000)
  serverLog.length = 0
  client.send('game', bytes('now'), 'state')
  await world.clock.advance(200)
  expect(serverLog.slice(0, 3)).toContain('game state now')
})

test('a server without rates does not slow anyone', async () => {
  const world = new World({ limits: { messagesPerSecond: 0, bytesPerSecond: 0 } })
  const { client, serverLog } = await world.open('ada', { limits: { maxUnackedFrames: 5000 } })
  for (let i = 0; i < 3000; i++) client.send('game', bytes('x'))
  await world.clock.advance(10)
  expect(serverLog).toHaveLength(3000)
})

test.each(Array.from({ length: 12 }, (_, i) => 500 + i))(
  'seed %i: an honest client is never over the limits, whatever the network does to its frames',
  async (seed) => {
    const random = seededRandom(seed)
    const world = new World({ seed, limits, heartbeatMs: 400, heartbeatTimeoutMs: 6000 })
    const opened = await world.open()
    const { client, session } = opened
    let { wire } = opened
    client.on('lost', () => {
      wire = world.attach(client, { delayMs: random.int(100), jitterMs: 50 })
    })
    for (let step = 0; step < 150; step++) {
      const lane = random.chance(0.5) ? 'state' : 'reliable'
      for (let n = random.int(30); n > 0 && client.stats().unackedFrames < 500; n--) {
        client.send('game', new Uint8Array(random.int(random.chance(0.1) ? 900 : 50)), lane, n)
      }
      if (random.chance(0.3)) session.send('game', new Uint8Array(10))
      // A stall holds frames back and lets them go all at once.
      if (random.chance(0.1)) wire.up.stall(true)
      await world.clock.advance(random.int(random.chance(0.1) ? 3000 : 200))
      wire.up.stall(false)
      if (random.chance(0.05)) wire.cut()
    }
    expect(session.state).toBe('open')
    expect(world.server.stats().sessionCloses).toEqual({})
  },
)
