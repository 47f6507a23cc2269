import { describe, expect, test } from 'vitest'
import { CLOSE, type ResumeRecord, type ServerSession } from '../src/index.ts'
import { HELLO, RawClient } from './support/raw-client.ts'
import { bytes, logClient, logServer, testSealer, World } from './support/world.ts'

test('a client logs in and is welcomed before anything else', async () => {
  const world = new World()
  const { client, session, clientLog } = await world.open('ada')
  expect(client.state).toBe('open')
  expect(client.id).toBe(session.id)
  expect(session.id).toMatch(/^[0-9a-f]{32}$/)
  expect(session).toMatchObject({ account: 'ada', origin: 'login', state: 'open', linkEpoch: 1 })
  expect(world.server.sessions.get(session.id)).toBe(session)
  expect(clientLog).toEqual(['opened', 'route game 1 bound'])
})

test('what authenticate returns stays on the session', async () => {
  const identity = { account: 'ada', level: 7 }
  const world = new World({ authenticate: async () => identity })
  const { session } = await world.open()
  expect(session.identity).toBe(identity)
})

test('a second login replaces the first, which is told to stop', async () => {
  const world = new World()
  const first = await world.open('ada')
  const second = await world.open('ada')
  expect(first.clientLog.at(-1)).toBe('closed 4202 stop the account logged in again')
  expect(first.serverLog.at(-1)).toBe('closed 4202 stop the account logged in again')
  expect(first.session.state).toBe('closed')
  expect(second.session.state).toBe('open')
  expect([...world.server.sessions.keys()]).toEqual([second.session.id])
  expect(world.server.stats().sessionCloses).toEqual({ replaced: 1 })
})

test('a session waits out its window and then expires', async () => {
  const world = new World({ resumeWindowMs: 60_000 })
  const { session, wire, serverLog } = await world.open()
  wire.cut()
  expect(session.state).toBe('waiting')
  await world.clock.advance(59_999)
  expect(session.state).toBe('waiting')
  await world.clock.advance(1)
  expect(serverLog).toEqual([
    'lost 1006 of link 1',
    'closed 4101 fresh no new link within 60000 ms',
  ])
  expect(world.server.sessions.size).toBe(0)
  expect(world.server.stats()).toMatchObject({ waiting: 0, sessionCloses: { sessionExpired: 1 } })
})

test('full is full: a login over the bound is refused, one that replaces is not', async () => {
  const world = new World({ maxSessions: 2 })
  const ada = await world.open('ada')
  await world.open('bob')
  const carol = world.client('carol')
  const log = logClient(carol)
  world.attach(carol)
  await world.clock.advance(10)
  expect(log).toEqual(['lost 4005'])
  expect(carol.state).toBe('waiting')
  await world.open('bob')
  ada.client.close()
  await world.clock.advance(10)
  world.attach(carol)
  await world.clock.advance(10)
  expect(carol.state).toBe('open')
})

test('stop ends every session and handshake with goingAway and takes no more links', async () => {
  const world = new World()
  const { clientLog, serverLog } = await world.open()
  const silent = new RawClient(
    world.attach(world.client('x', { ticket: () => new Promise(() => {}) })),
  )
  world.server.stop('maintenance')
  world.server.stop('again')
  await world.clock.advance(10)
  expect(serverLog.at(-1)).toBe('closed 4004 resume maintenance')
  expect(clientLog.at(-1)).toBe('lost 4004')
  expect(silent.last('bye').reason).toBe('maintenance')
  const late = new RawClient(world.wire())
  world.server.accept(late.wire.server)
  await world.clock.advance(10)
  expect(late.closed?.code).toBe(CLOSE.goingAway)
  expect(world.server.sessions.size).toBe(0)
})

test('a listener that throws disturbs neither the session nor the others', async () => {
  const world = new World()
  const heard: string[] = []
  world.server.on('session', () => {
    throw new Error('first listener')
  })
  const { client, session } = await world.open()
  session.on('message', () => {
    throw new Error('second listener')
  })
  session.on('message', ({ route }) => heard.push(route))
  client.send('game', bytes('a'))
  client.send('game', bytes('b'))
  await world.clock.advance(50)
  expect(heard).toEqual(['game', 'game'])
  expect(world.errors).toHaveLength(3)
})

test('a session that is closed while it is announced tells the client the code instead of a welcome', async () => {
  const world = new World()
  world.server.on('session', (session) => session.close(4500, 'banned'))
  const client = world.client()
  const log = logClient(client)
  world.attach(client)
  await world.clock.advance(10)
  expect(log).toEqual(['closed 4500 stop banned'])
  expect(world.server.sessions.size).toBe(0)
})

test.each([
  ['resumeWindowMs', { resumeWindowMs: -1 }],
  ['tokenTtlMs', { resumeWindowMs: 1000, tokenTtlMs: 1999 }],
  ['handshakeTimeoutMs', { handshakeTimeoutMs: 0 }],
  ['authTimeoutMs', { authTimeoutMs: 1.5 }],
  ['heartbeatMs', { heartbeatMs: 99 }],
  ['heartbeatTimeoutMs', { heartbeatMs: 1000, heartbeatTimeoutMs: 999 }],
  ['maxSessions', { maxSessions: 0 }],
  ['maxPendingHandshakes', { maxPendingHandshakes: Number.NaN }],
  ['messageBurst', { limits: { messageBurst: 3 } }],
  ['byteBurst', { limits: { byteBurst: 1000 } }],
  ['maxUnackedFrames', { limits: { maxUnackedFrames: 0 } }],
  ['maxFrameBytes', { limits: { maxFrameBytes: 2 ** 32 } }],
])('a bad %s is refused by name', (name, options) => {
  expect(() => new World(options)).toThrow(RangeError)
  expect(() => new World(options)).toThrow(name)
})

describe('tokens', () => {
  async function opened(options: ConstructorParameters<typeof World>[0] = {}) {
    const world = new World(options)
    const sessions: ServerSession[] = []
    world.server.on('session', (session) => sessions.push(session))
    const connect = async (): Promise<RawClient> => {
      const client = new RawClient(world.wire())
      world.server.accept(client.wire.server)
      return client
    }
    const client = await connect()
    client.say(HELLO)
    await world.clock.advance(10)
    const session = sessions[0] as ServerSession
    const resume = async (token: Uint8Array, change: object = {}): Promise<RawClient> => {
      const next = await connect()
      next.say({
        type: 'resume',
        protocol: 1,
        codec: 'msgpack',
        compression: 'none',
        sessionId: session.id,
        token,
        attempt: 1,
        lastReceived: 0,
        reset: false,
        routeEpoch: 0,
        ...change,
      })
      await world.clock.advance(10)
      return next
    }
    return { world, client, session, resume, token: client.last('welcome').token, sessions }
  }
  const ack = { type: 'ack', ack: 0, stateAck: 0 } as const

  test('an old token stays good until the first frame arrives under the new one', async () => {
    const { resume, token, session } = await opened()
    const second = await resume(token)
    const third = await resume(token)
    expect(second.last('bye').code).toBe(CLOSE.linkSuperseded)
    expect(third.last('resumed').recovered).toBe(true)
    expect(session.linkEpoch).toBe(3)
    third.say(ack)
    const late = await resume(token)
    expect(late.last('bye').code).toBe(CLOSE.tokenReplayed)
    expect(third.closed).toBeUndefined()
    expect(session.state).toBe('open')
  })

  test('the newest token is good even before a frame came under it', async () => {
    const { resume, token } = await opened()
    const second = await resume(token)
    const third = await resume(second.last('resumed').token)
    expect(third.last('resumed').recovered).toBe(true)
  })

  test('a token between the confirmed and the newest one is a replay', async () => {
    const { resume, token } = await opened()
    const second = await resume(token)
    await resume(token)
    const replay = await resume(second.last('resumed').token)
    expect(replay.last('bye').code).toBe(CLOSE.tokenReplayed)
  })

  test('a token expires by the wall clock', async () => {
    const { world, resume, token } = await opened({ tokenTtlMs: 120_000, resumeWindowMs: 60_000 })
    world.clock.jumpWall(119_000)
    const good = await resume(token)
    world.clock.jumpWall(121_000)
    const late = await resume(good.last('resumed').token)
    expect(late.last('bye').code).toBe(CLOSE.tokenExpired)
  })

  test('a long link gets its token renewed, under the same epoch', async () => {
    const { world, client, resume, session } = await opened({
      tokenTtlMs: 120_000,
      heartbeatTimeoutMs: 1_000_000,
    })
    await world.clock.advance(119_000)
    const renewed = client.last('token').token
    await world.clock.advance(30_000)
    client.say(ack)
    const next = await resume(renewed)
    expect(next.last('resumed').recovered).toBe(true)
    expect(session.linkEpoch).toBe(2)
  })

  test('every changed bit of a token is refused', async () => {
    const { resume, token, session } = await opened({ handshakeTimeoutMs: 100 })
    for (let bit = 0; bit < token.length * 8; bit += 3) {
      const forged = token.slice()
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const next = await resume(forged)
      expect(next.last('bye').code).toBe(CLOSE.tokenInvalid)
    }
    expect((await resume(new Uint8Array(0))).last('bye').code).toBe(CLOSE.tokenInvalid)
    expect(session.state).toBe('open')
  })

  test('a token is good only for the session it names', async () => {
    const { resume, token } = await opened()
    const next = await resume(token, { sessionId: 'another' })
    expect(next.last('bye').code).toBe(CLOSE.tokenInvalid)
  })

  test('a token sealed by someone else is refused', async () => {
    const { resume } = await opened()
    const foreign = testSealer(99).seal(bytes('whatever it was'))
    expect((await resume(foreign)).last('bye').code).toBe(CLOSE.tokenInvalid)
  })

  test('a sealed record that is none is refused', async () => {
    const { resume } = await opened()
    for (const record of ['', '\u0001', '\u0002abc', 'something else that was sealed']) {
      const next = await resume(testSealer().seal(bytes(record)))
      expect(next.last('bye').code).toBe(CLOSE.tokenInvalid)
    }
  })

  test.each([
    ['version', { protocol: 9 }, CLOSE.termsChanged],
    ['codec', { codec: 'json' }, CLOSE.termsChanged],
    ['compression', { compression: 'zstd' }, CLOSE.termsChanged],
    ['route epoch', { routeEpoch: 0x7fffffff }, CLOSE.protocolError],
  ])('a resume with another %s is refused and the session left alone', async (_, change, code) => {
    const { resume, token, session, client } = await opened()
    const next = await resume(token, change)
    expect(next.last('bye').code).toBe(code)
    expect(client.closed).toBeUndefined()
    expect(session.state).toBe('open')
  })

  test('a resume that claims frames which were never sent starts clean', async () => {
    const { resume, token, session } = await opened()
    session.setRoute('game', 'bound')
    session.send('game', bytes('x'))
    const next = await resume(token, { lastReceived: 3 })
    expect(next.last('resumed')).toMatchObject({ recovered: false, lastReceived: 0 })
  })

  test('a session that ended with a stop tells so to whoever comes back for it', async () => {
    const { resume, token, session } = await opened()
    session.close(CLOSE.kicked, 'cheating')
    const next = await resume(token)
    expect(next.last('bye')).toEqual({ type: 'bye', code: CLOSE.kicked, reason: 'cheating' })
  })

  test('a session that expired is unknown, and a new login is what helps', async () => {
    const { world, client, resume, token } = await opened()
    client.wire.cut()
    await world.clock.advance(60_000)
    expect((await resume(token)).last('bye').code).toBe(CLOSE.sessionUnknown)
  })

  test('tombstones are forgotten with the tokens they answer', async () => {
    const { world, resume, token, session } = await opened({ tokenTtlMs: 120_000 })
    session.close(CLOSE.kicked, 'cheating')
    await world.clock.advance(120_001)
    world.clock.jumpWall(-100_000)
    expect((await resume(token)).last('bye').code).toBe(CLOSE.sessionUnknown)
  })
})

describe('adopting a session of another process', () => {
  interface Seen {
    records: ResumeRecord[]
  }
  async function twoServers(adopt?: (record: ResumeRecord) => unknown) {
    const seen: Seen = { records: [] }
    const world = new World()
    const here = await world.open('ada')
    const there = world.newServer({
      adopt: (record) => {
        seen.records.push(record)
        return (adopt === undefined ? { account: record.account } : adopt(record)) as never
      },
    })
    const adopted: ServerSession[] = []
    there.on('session', (session) => {
      adopted.push(session)
      session.setRoute('game', 'bound')
      session.send('game', bytes('snapshot'))
    })
    return { ...here, world, there, seen, adopted }
  }

  test('keeps the id, says that nothing was recovered, and announces its routes anew', async () => {
    const { world, client, session, wire, there, seen, adopted, clientLog } = await twoServers()
    session.send('game', bytes('one'))
    session.setRoute('lobby', 'bound')
    await world.clock.advance(50)
    wire.cut()
    client.send('game', bytes('never arrives'))
    clientLog.length = 0
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(seen.records).toEqual([
      {
        sessionId: session.id,
        account: 'ada',
        linkEpoch: 1,
        run: expect.any(Number),
        expiresAt: expect.any(Number),
      },
    ])
    expect(adopted[0]).toMatchObject({
      id: session.id,
      account: 'ada',
      origin: 'adopted',
      linkEpoch: 2,
    })
    expect(client.id).toBe(session.id)
    expect(clientLog).toEqual([
      'resumed false lost 1',
      'route game 1 lost',
      'route lobby 2 lost',
      'route game 3 bound',
      'game reliable snapshot',
    ])
    expect(there.stats()).toMatchObject({ adopted: 1, open: 1 })
  })

  test('then goes on like any session: the next cut is recovered', async () => {
    const { world, client, wire, there, adopted, clientLog } = await twoServers()
    wire.cut()
    const second = world.attach(client, {}, there)
    await world.clock.advance(50)
    second.cut()
    adopted[0]?.send('game', bytes('while away'))
    client.send('game', bytes('from away'))
    const heard = logServer(adopted[0] as ServerSession)
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(clientLog.slice(-2)).toEqual(['resumed true lost 0', 'game reliable while away'])
    expect(heard).toContain('game reliable from away')
  })

  test('a lost answer is asked for again, and both lanes still start in step', async () => {
    const { world, client, wire, there, adopted, clientLog } = await twoServers()
    client.send('game', bytes('x'))
    await world.clock.advance(200)
    wire.cut()
    const swallowed = world.wire()
    swallowed.swallow('down')
    there.accept(swallowed.server)
    client.attach(swallowed.client)
    await world.clock.advance(50)
    expect(adopted).toHaveLength(1)
    swallowed.cut()
    clientLog.length = 0
    const routes: string[] = []
    adopted[0]?.on('resumed', ({ recovered, lost }) => {
      routes.push(`resumed ${recovered} lost ${lost}`)
      adopted[0]?.setRoute('game', 'bound')
      adopted[0]?.send('game', bytes('second snapshot'))
    })
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(routes).toEqual(['resumed false lost 2'])
    expect(clientLog).toEqual([
      'resumed false lost 0',
      'route game 1 lost',
      'route game 3 bound',
      'game reliable second snapshot',
    ])
    client.send('game', bytes('in step'))
    await world.clock.advance(200)
    expect(client.stats().unackedFrames).toBe(0)
  })

  test('two links that ask at once get one session', async () => {
    const { world, client, wire, there, adopted } = await twoServers(async (record) => {
      await Promise.resolve()
      return { account: record.account }
    })
    wire.cut()
    const first = world.attach(client, { delayMs: 5 }, there)
    await world.clock.advance(5)
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(first.client.isOpen).toBe(false)
    expect(adopted).toHaveLength(1)
    expect(client.state).toBe('open')
    expect(there.sessions.size).toBe(1)
  })

  test('replaces a session the account has here', async () => {
    const { world, client, wire, there } = await twoServers()
    const other = world.client('ada')
    const otherLog = logClient(other)
    world.attach(other, {}, there)
    await world.clock.advance(50)
    wire.cut()
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(otherLog.at(-1)).toContain('closed 4202 stop')
    expect(there.sessions.size).toBe(1)
  })

  test.each([
    ['a refusal', () => undefined, 'closed 4100 fresh the session is not here'],
    [
      'a coded error that may pass',
      () => {
        throw Object.assign(new Error(), { code: 'MOVED', retryable: true })
      },
      'lost 4008',
    ],
    ['another account', () => ({ account: 'bob' }), 'closed 4100 fresh the session is not here'],
  ])('%s is told to the client', async (_, adopt, ending) => {
    const { world, client, wire, there, clientLog } = await twoServers(adopt)
    wire.cut()
    world.attach(client, {}, there)
    await world.clock.advance(50)
    expect(clientLog.at(-1)).toBe(ending)
    expect(there.sessions.size).toBe(0)
  })

  test('an answer after the deadline, the link or the server has gone makes no session', async () => {
    let answer: (identity: { account: string }) => void = () => {}
    const { world, client, wire, there } = await twoServers(
      () => new Promise((resolve) => (answer = resolve as never)),
    )
    wire.cut()
    world.attach(client, {}, there)
    await world.clock.advance(6000)
    answer({ account: 'ada' })
    await world.clock.settle()
    expect(there.stats()).toMatchObject({ adopted: 0, refused: { authTimeout: 1 } })
    expect(there.sessions.size).toBe(0)
  })
})
