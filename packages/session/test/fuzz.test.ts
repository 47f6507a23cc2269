import { seededRandom, type SeededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { stampAcks } from '../src/frame-encoder.ts'
import { encodeFrame } from '../src/server-frame-encoder.ts'
import type { Frame, ServerFrame, Terms } from '../src/frame.ts'
import { closeName, type ServerSession, type SessionLink } from '../src/index.ts'
import { HELLO } from './support/raw-client.ts'
import { bytes, World } from './support/world.ts'

const ACKED_FROM = 0x10
const terms: Terms = {
  heartbeatMs: 5000,
  heartbeatTimeoutMs: 12_500,
  resumeWindowMs: 60_000,
  maxFrameBytes: 16_384,
  maxServerFrameBytes: 16_384,
  messagesPerSecond: 60,
  messageBurst: 120,
  bytesPerSecond: 32_768,
  byteBurst: 131_072,
}
const acks = { ack: 0, stateAck: 0 }
const token = bytes('a token')
const welcome: ServerFrame = {
  type: 'welcome',
  protocol: 1,
  codec: 'msgpack',
  compression: 'none',
  sessionId: 'abc',
  token,
  terms,
}
const live: Frame[] = [
  { type: 'reliable', ...acks, seq: 1, epoch: 1, payload: bytes('reliable') },
  { type: 'state', ...acks, epoch: 1, payload: bytes('state') },
  { type: 'ack', ...acks },
  { type: 'ping', ...acks, time: 77 },
  { type: 'pong', ...acks, time: 77 },
  { type: 'bye', code: 4200, reason: 'bye' },
]
const spoken = {
  client: [
    HELLO,
    {
      type: 'resume',
      protocol: 1,
      codec: 'msgpack',
      compression: 'none',
      sessionId: 'abc',
      token,
      attempt: 1,
      lastReceived: 0,
      reset: false,
      routeEpoch: 0,
    } as const,
    ...live,
  ].map(encodeFrame),
  server: [
    welcome,
    { type: 'resumed', token, recovered: false, lastReceived: undefined, terms } as const,
    { type: 'route', ...acks, seq: 2, epoch: 2, state: 'bound', name: 'lobby' } as const,
    { type: 'token', ...acks, token } as const,
    ...live,
  ].map(encodeFrame),
}

/** Noise, noise that begins like a frame, and frames with a few bits flipped, cut or left whole. */
function spoil(random: SeededRandom, frames: readonly Uint8Array[], seq: number): Uint8Array {
  if (random.chance(0.05)) {
    const noise = random(random.int(random.chance(0.2) ? 4000 : 40))
    if (noise.length > 0 && random.chance(0.8)) noise[0] = random.pick(frames)[0] ?? 0
    return noise
  }
  // Those that end a session at once are tried less often.
  const frame = random.pick(random.chance(0.9) ? frames.slice(-6, -1) : frames).slice()
  if ((frame[0] ?? 0) >= ACKED_FROM) {
    if (random.chance(0.9)) stampAcks(frame, random.int(2), 0)
    if (random.chance(0.8) && (frame[0] === 0x10 || frame[0] === 0x12)) frame[7] = seq
  }
  for (let flips = random.chance(0.6) ? 0 : 1 + random.int(3); flips > 0; flips--) {
    const at = random.int(frame.length)
    frame[at] = (frame[at] ?? 0) ^ (1 << random.int(8))
  }
  return random.chance(0.05) ? frame.slice(0, random.int(frame.length)) : frame
}

/** A link whose other end is the test. */
function looseLink(): SessionLink {
  return {
    bufferedBytes: 0,
    send: () => true,
    close: () => {},
    onMessage: () => {},
    onDrain: () => {},
    onClose: () => {},
  }
}

test('a million spoilt bytes from players crash nothing and leave nothing', async () => {
  const random = seededRandom(51)
  const world = new World({ seed: 51, limits: { maxFrameBytes: 3000, messageBurst: 100 } })
  const ends = new Set<string>()
  const sessions: ServerSession[] = []
  let messages = 0
  let up = 0
  world.server.on('session', (session) => {
    sessions.push(session)
    session.setRoute('game', 'bound')
    session.on('message', ({ lane }) => {
      messages += 1
      if (lane === 'reliable') up += 1
    })
    for (const event of ['lost', 'closed'] as const) {
      session.on(event, ({ code }) => ends.add(closeName(code)))
    }
  })
  let total = 0
  while (total < 1_000_000) {
    const link = looseLink()
    up = 0
    world.server.accept(link)
    // A third of them begin as badly as they go on.
    if (random.chance(0.7)) link.onMessage(encodeFrame(HELLO))
    for (let i = 0; i < 60 && (i < 2 || sessions.at(-1)?.state === 'open'); i++) {
      const frame = spoil(random, spoken.client, 1 + up)
      total += frame.length
      link.onMessage(frame)
      if (random.chance(0.01)) link.onDrain()
    }
    if (random.chance(0.5)) link.onClose(1006, 'cut')
    if (random.chance(0.02)) await world.clock.advance(500)
    sessions.length = 0
  }
  expect(messages).toBeGreaterThan(1000)
  expect([...ends]).toEqual(
    expect.arrayContaining(['protocolError', 'frameTooLarge', 'sequenceGap', 'closedByClient']),
  )
  const stats = world.server.stats()
  expect(stats.open + stats.waiting).toBeLessThanOrEqual(1)
  expect(stats.traffic.unackedBytes).toBeLessThan(1000)
  await world.clock.advance(100_000)
  expect(world.errors).toEqual([])
  expect(world.server.stats()).toMatchObject({ open: 0, waiting: 0, pendingHandshakes: 0 })
  expect(world.clock.pending).toBe(0)
})

test('a million spoilt bytes from a server crash no client and leave nothing', async () => {
  const random = seededRandom(52)
  const world = new World({ seed: 52 })
  const ends = new Set<string>()
  let messages = 0
  let total = 0
  while (total < 1_000_000) {
    const client = world.client()
    let closes = 0
    let down = 0
    client.on('route', () => {
      down += 1
    })
    client.on('message', ({ lane }) => {
      messages += 1
      if (lane === 'reliable') down += 1
    })
    client.on('lost', ({ code }) => ends.add(closeName(code)))
    client.on('closed', ({ code }) => {
      closes += 1
      ends.add(closeName(code))
    })
    const link = looseLink()
    client.attach(link)
    if (random.chance(0.7)) {
      link.onMessage(encodeFrame(welcome))
      link.onMessage(
        encodeFrame({ type: 'route', ...acks, seq: 1, epoch: 1, state: 'bound', name: 'game' }),
      )
      client.send('game', bytes('x'))
    }
    for (let i = 0; i < 60 && (i < 2 || client.state === 'open'); i++) {
      const frame = spoil(random, spoken.server, 1 + down)
      total += frame.length
      link.onMessage(frame)
    }
    if (random.chance(0.02)) await world.clock.advance(500)
    client.close()
    expect(closes).toBe(1)
    expect(client.stats().unackedBytes).toBe(0)
  }
  expect(messages).toBeGreaterThan(1000)
  expect([...ends]).toEqual(
    expect.arrayContaining(['protocolError', 'sequenceGap', 'closedByClient', 'transport']),
  )
  expect(world.errors).toEqual([])
  expect(world.clock.pending).toBe(0)
})
