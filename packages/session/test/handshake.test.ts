import { expect, test } from 'vitest'
import { CLOSE } from '../src/index.ts'
import { HELLO, RawClient } from './support/raw-client.ts'
import { World } from './support/world.ts'

function raw(world: World): RawClient {
  const wire = world.wire()
  world.server.accept(wire.server)
  return new RawClient(wire)
}

test('a link that says nothing is closed at the handshake deadline', async () => {
  const world = new World({ handshakeTimeoutMs: 3000 })
  const client = raw(world)
  await world.clock.advance(2999)
  expect(client.closed).toBeUndefined()
  await world.clock.advance(1)
  expect(client.closed?.code).toBe(CLOSE.handshakeTimeout)
  expect(client.last('bye').code).toBe(CLOSE.handshakeTimeout)
  expect(world.server.stats()).toMatchObject({
    pendingHandshakes: 0,
    refused: { handshakeTimeout: 1 },
  })
})

test('a login that hangs is closed at the deadline for that, and its answer comes to nobody', async () => {
  let answer: (identity: { account: string }) => void = () => {}
  let isAborted = false
  const world = new World({
    authTimeoutMs: 5000,
    authenticate: (_, { signal }) => {
      signal.addEventListener('abort', () => (isAborted = true))
      return new Promise((resolve) => (answer = resolve))
    },
  })
  const client = raw(world)
  client.say(HELLO)
  await world.clock.advance(4999)
  expect(client.closed).toBeUndefined()
  await world.clock.advance(1)
  expect(client.closed?.code).toBe(CLOSE.authTimeout)
  expect(isAborted).toBe(true)
  answer({ account: 'ada' })
  await world.clock.advance(100)
  expect(world.server.sessions.size).toBe(0)
  expect(world.server.stats()).toMatchObject({ refused: { authTimeout: 1 }, opened: 0 })
})

test('the answer of a login whose link has gone comes to nobody', async () => {
  let answer: (identity: { account: string }) => void = () => {}
  let signal: AbortSignal | undefined
  const world = new World({
    authenticate: (_, context) => {
      signal = context.signal
      return new Promise((resolve) => (answer = resolve))
    },
  })
  const client = raw(world)
  client.say(HELLO)
  await world.clock.advance(10)
  client.wire.cut()
  expect(signal?.aborted).toBe(true)
  answer({ account: 'ada' })
  await world.clock.advance(100)
  expect(world.server.sessions.size).toBe(0)
  expect(world.server.stats()).toMatchObject({ pendingHandshakes: 0, refused: { transport: 1 } })
})

test.each([
  ['sync', 'stop', false],
  ['async', 'stop', false],
  ['sync', 'fresh', true],
] as const)('a coded error of a %s login travels as a %s reason', async (how, _, retryable) => {
  const error = Object.assign(new Error('secret detail'), { code: 'TICKET_EXPIRED', retryable })
  const world = new World({
    authenticate: () => {
      if (how === 'sync') throw error
      return Promise.reject(error)
    },
  })
  const client = raw(world)
  client.say(HELLO)
  await world.clock.advance(10)
  expect(client.last('bye')).toMatchObject({
    code: retryable ? CLOSE.authUnavailable : CLOSE.authRefused,
    reason: 'TICKET_EXPIRED',
  })
})

test.each([
  ['without a code', new Error('password hash of ada is 123')],
  ['with a code that is no name', Object.assign(new Error(), { code: 'a b\n'.repeat(500) })],
  ['that is not even an error', null],
])('an error %s is told to the player in constant words', async (_, error) => {
  const world = new World({ authenticate: () => Promise.reject(error as Error) })
  const client = raw(world)
  client.say(HELLO)
  await world.clock.advance(10)
  expect(client.last('bye')).toMatchObject({
    code: CLOSE.authUnavailable,
    reason: 'the login could not be checked',
  })
})

test.each([
  ['nothing', undefined],
  ['an empty account', { account: '' }],
  ['an account that is no text', { account: 7 }],
  ['an account too long for a token', { account: 'é'.repeat(128) }],
])('a login answered with %s is a mistake of the server, told to it', async (_, identity) => {
  const world = new World({ authenticate: () => identity as never })
  const client = raw(world)
  client.say(HELLO)
  await world.clock.advance(10)
  expect(client.closed?.code).toBe(CLOSE.authUnavailable)
  expect(world.errors).toHaveLength(1)
})

test.each([
  ['a newer protocol', { minProtocol: 2, maxProtocol: 9 }, 'the server speaks versions 1 to 1'],
  ['an older protocol', { minProtocol: 0, maxProtocol: 0 }, 'the server speaks versions 1 to 1'],
  ['another codec', { codecs: ['json'] }, 'the server speaks codec msgpack'],
  ['no compression known here', { compressions: ['zstd'] }, 'the server speaks compression none'],
])('a client of %s is told to stop and what is spoken', async (_, change, reason) => {
  const world = new World()
  const client = raw(world)
  client.say({ ...HELLO, ...change })
  await world.clock.advance(10)
  expect(client.last('bye')).toEqual({ type: 'bye', code: CLOSE.versionUnsupported, reason })
})

test('the common version is chosen from what a newer client offers', async () => {
  const world = new World()
  const client = raw(world)
  client.say({ ...HELLO, maxProtocol: 7, codecs: ['cbor', 'msgpack'] })
  await world.clock.advance(10)
  expect(client.last('welcome')).toMatchObject({
    protocol: 1,
    codec: 'msgpack',
    compression: 'none',
    terms: { heartbeatMs: 5000, messagesPerSecond: 60 },
  })
})

test.each([
  ['garbage', Uint8Array.from({ length: 40 }, (_, i) => i * 7), CLOSE.protocolError],
  ['nothing at all', new Uint8Array(0), CLOSE.protocolError],
  ['a frame of a session', Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0), CLOSE.protocolError],
  ['more than a handshake can be', new Uint8Array(4097), CLOSE.frameTooLarge],
])('a first frame of %s closes with a code', async (_, bytes, code) => {
  const world = new World()
  const client = raw(world)
  client.say(bytes)
  await world.clock.advance(10)
  expect(client.closed?.code).toBe(code)
  expect(world.server.stats().pendingHandshakes).toBe(0)
})

test('a second frame before the answer closes with a code', async () => {
  const world = new World({ authenticate: () => new Promise(() => {}) })
  const client = raw(world)
  client.say(HELLO)
  client.say(HELLO)
  await world.clock.advance(10)
  expect(client.closed?.code).toBe(CLOSE.protocolError)
})

test('links over the bound of pending handshakes are refused, and come in again when there is room', async () => {
  const world = new World({ maxPendingHandshakes: 2, authenticate: () => new Promise(() => {}) })
  const clients = [1, 2, 3].map(() => raw(world))
  await world.clock.advance(10)
  expect(clients.map(({ closed }) => closed?.code)).toEqual([
    undefined,
    undefined,
    CLOSE.overloaded,
  ])
  clients[0]?.wire.cut()
  expect(world.server.stats().pendingHandshakes).toBe(1)
  const late = raw(world)
  await world.clock.advance(10)
  expect(late.closed).toBeUndefined()
})

test('the count of pending handshakes returns to zero whatever way they end', async () => {
  const world = new World({
    authenticate: (ticket) => {
      if (ticket === 'hang') return new Promise(() => {})
      if (ticket === 'refuse') throw Object.assign(new Error(), { code: 'NO' })
      return { account: ticket }
    },
  })
  const clients = Array.from({ length: 6 }, () => raw(world))
  clients[0]?.say(HELLO)
  clients[1]?.say({ ...HELLO, ticket: 'hang' })
  clients[2]?.say({ ...HELLO, ticket: 'refuse' })
  clients[3]?.say(Uint8Array.of(1))
  clients[4]?.wire.cut()
  clients[4]?.wire.cut()
  await world.clock.advance(10_000)
  expect(world.server.stats()).toMatchObject({ pendingHandshakes: 0, accepted: 6, opened: 1 })
  world.server.stop()
  expect(world.server.stats()).toMatchObject({ pendingHandshakes: 0, open: 0, waiting: 0 })
  await world.clock.advance(10)
  expect(world.clock.pending).toBe(0)
})
