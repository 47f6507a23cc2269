import { describe, expect, test } from 'vitest'
import { CLOSE, SessionError } from '../src/index.ts'
import { bytes, logServer, testSealer, text, World } from './support/world.ts'

test('frames go both ways, in order, on both lanes', async () => {
  const world = new World()
  const { client, session, clientLog, serverLog } = await world.open()
  clientLog.length = 0
  expect(session.send('game', bytes('one'))).toBe(true)
  session.send('game', bytes('two'), 'state')
  session.send('game', bytes('three'))
  expect(client.send('game', bytes('uno'))).toBe(true)
  client.send('game', bytes('due'), 'state')
  await world.clock.advance(10)
  expect(clientLog).toEqual(['game reliable one', 'game state two', 'game reliable three'])
  expect(serverLog).toEqual(['game reliable uno', 'game state due'])
})

test('an empty payload is a message', async () => {
  const world = new World()
  const { session, clientLog } = await world.open()
  session.send('game', new Uint8Array(0))
  await world.clock.advance(10)
  expect(clientLog.at(-1)).toBe('game reliable ')
})

test('the payload is copied: the caller may use its buffer again at once', async () => {
  const world = new World()
  const { session, client, clientLog, serverLog } = await world.open()
  const buffer = bytes('right')
  session.send('game', buffer)
  client.send('game', buffer, 'state')
  buffer.set(bytes('wrong'))
  await world.clock.advance(10)
  expect(clientLog.at(-1)).toBe('game reliable right')
  expect(serverLog.at(-1)).toBe('game state right')
})

describe('routes', () => {
  test('the player learns of them in order with the frames around', async () => {
    const world = new World()
    const { session, client, clientLog } = await world.open()
    clientLog.length = 0
    session.send('game', bytes('before'))
    expect(session.setRoute('game', 'bound')).toBe(2)
    session.send('game', bytes('after'))
    expect(session.setRoute('lobby', 'bound')).toBe(3)
    expect(session.setRoute('game', 'lost')).toBe(4)
    expect(session.setRoute('lobby', 'unbound')).toBe(5)
    await world.clock.advance(10)
    expect(clientLog).toEqual([
      'game reliable before',
      'route game 2 bound',
      'game reliable after',
      'route lobby 3 bound',
      'route game 4 lost',
      'route lobby 5 unbound',
    ])
    expect(client.route('game')).toEqual({ epoch: 4, state: 'lost' })
    expect(client.route('never')).toEqual({ epoch: 0, state: 'unbound' })
    expect(session.routes.get('lobby')).toEqual({ epoch: 5, state: 'unbound' })
  })

  test('frames the player sent under an older epoch are dropped and counted', async () => {
    const world = new World({ wire: { delayMs: 20 } })
    const { session, client, serverLog } = await world.open()
    client.send('game', bytes('under 1'))
    await world.clock.advance(10)
    session.setRoute('game', 'bound')
    client.send('game', bytes('under 1 still'))
    await world.clock.advance(100)
    client.send('game', bytes('under 2'))
    await world.clock.advance(200)
    expect(serverLog).toEqual(['game reliable under 2'])
    expect(session.stats().staleRoute).toBe(2)
    expect(client.stats().unackedFrames).toBe(0)
  })

  test('what is sent along a route that is not bound is dropped and counted', async () => {
    const world = new World()
    const { session, client, clientLog, serverLog } = await world.open()
    session.setRoute('game', 'lost')
    await world.clock.advance(10)
    clientLog.length = 0
    expect(session.send('game', bytes('x'))).toBe(false)
    expect(session.send('never', bytes('x'), 'state')).toBe(false)
    expect(client.send('game', bytes('x'))).toBe(false)
    await world.clock.advance(10)
    expect([clientLog, serverLog]).toEqual([[], []])
    expect([session.stats().staleRoute, client.stats().staleRoute]).toEqual([2, 1])
  })

  test('a state frame never overtakes the announcement of its route', async () => {
    const world = new World({ wire: { delayMs: 5, highWaterBytes: 1 } })
    const { session, clientLog } = await world.open()
    clientLog.length = 0
    for (let i = 0; i < 5; i++) session.send('game', bytes(`filler ${i}`))
    session.setRoute('arena', 'bound')
    session.send('arena', bytes('position'), 'state')
    await world.clock.advance(1000)
    expect(clientLog.indexOf('arena state position')).toBeGreaterThan(
      clientLog.indexOf('route arena 2 bound'),
    )
    expect(clientLog).toHaveLength(7)
  })

  test('a state frame of a binding that is over does not arrive', async () => {
    const world = new World({ wire: { delayMs: 5, highWaterBytes: 1 } })
    const { session, clientLog } = await world.open()
    clientLog.length = 0
    session.send('game', bytes('takes the link'))
    session.send('game', bytes('old'), 'state')
    session.setRoute('game', 'bound')
    session.send('game', bytes('new'), 'state')
    await world.clock.advance(1000)
    expect(clientLog).toEqual([
      'game reliable takes the link',
      'route game 2 bound',
      'game state new',
    ])
  })

  test('a name must be 1 to 255 bytes', async () => {
    const world = new World()
    const { session } = await world.open()
    expect(() => session.setRoute('', 'bound')).toThrow(RangeError)
    expect(() => session.setRoute('é'.repeat(128), 'bound')).toThrow(RangeError)
    session.setRoute('é'.repeat(127), 'bound')
  })
})

describe('closing', () => {
  test('tells the player the code and the reason, within what a close may carry', async () => {
    const world = new World()
    const { session, clientLog, serverLog } = await world.open()
    session.close(4400, 'é'.repeat(100))
    session.close(CLOSE.kicked, 'again')
    await world.clock.advance(10)
    expect(serverLog).toEqual([`closed 4400 fresh ${'é'.repeat(100)}`])
    expect(clientLog.at(-1)).toBe(`closed 4400 fresh ${'é'.repeat(61)}`)
    expect(session.state).toBe('closed')
  })

  test('is kicked when no code is given', async () => {
    const world = new World()
    const { session, clientLog } = await world.open()
    session.close()
    await world.clock.advance(10)
    expect(clientLog.at(-1)).toBe('closed 4203 stop ')
  })

  test.each([3999, 5000, 4200.5, Number.NaN])('refuses the code %s', async (code) => {
    const world = new World()
    const { session } = await world.open()
    expect(() => session.close(code)).toThrow(RangeError)
    expect(session.state).toBe('open')
  })

  test('afterwards nothing is sent, and nothing throws', async () => {
    const world = new World()
    const { session, serverLog } = await world.open()
    session.close()
    expect(session.send('game', bytes('x'))).toBe(false)
    expect(session.setRoute('game', 'bound')).toBe(1)
    await world.clock.advance(100_000)
    expect(serverLog).toHaveLength(1)
    expect(world.clock.pending).toBe(0)
  })

  test('counts the reliable frames that were not acknowledged', async () => {
    const world = new World()
    const { session, wire } = await world.open()
    await world.clock.advance(200)
    wire.swallow('both')
    session.send('game', bytes('x'))
    session.send('game', bytes('y'))
    let lost = -1
    session.on('closed', (event) => (lost = event.lost))
    session.close()
    expect(lost).toBe(2)
    expect(session.stats().lost).toBe(2)
  })

  test('by the client ends the session at once', async () => {
    const world = new World()
    const { client, serverLog } = await world.open()
    client.close('bye')
    await world.clock.advance(10)
    expect(serverLog).toEqual(['closed 4200 stop bye'])
    expect(world.server.sessions.size).toBe(0)
  })
})

describe('a link that is slow', () => {
  test('makes send return false from the soft bound on, and drain follows', async () => {
    const world = new World({ wire: { delayMs: 50 }, limits: { softUnackedBytes: 4000 } })
    const { session, serverLog } = await world.open()
    const payload = new Uint8Array(1000)
    expect([1, 2, 3].map(() => session.send('game', payload))).toEqual([true, true, true])
    expect(session.send('game', payload)).toBe(false)
    expect(session.send('game', payload)).toBe(false)
    expect(serverLog).toEqual([])
    await world.clock.advance(500)
    expect(serverLog).toEqual(['drain'])
    expect(session.send('game', payload)).toBe(true)
  })

  test('that does not drain in time is closed; the session waits and loses nothing', async () => {
    const world = new World({ wire: { highWaterBytes: 1000 }, heartbeatTimeoutMs: 60_000 })
    const { session, client, wire, clientLog, serverLog } = await world.open()
    await world.clock.advance(200)
    wire.down.stall(true)
    for (let i = 0; i < 5; i++) session.send('game', new Uint8Array(1000).fill(48 + i))
    await world.clock.advance(5000)
    expect(serverLog.at(-1)).toBe('lost 4002 of link 1')
    wire.cut()
    clientLog.length = 0
    world.attach(client, { highWaterBytes: 100_000 })
    await world.clock.advance(500)
    expect(clientLog.map((line) => line.slice(0, 20))).toEqual([
      'resumed true lost 0',
      ...[0, 1, 2, 3, 4].map((i) => `game reliable ${String(i).repeat(6)}`),
    ])
  })

  test('gets only the newest state of each key, once it drains', async () => {
    const world = new World({ wire: { delayMs: 20, highWaterBytes: 1 } })
    const { session, clientLog } = await world.open()
    clientLog.length = 0
    for (let step = 0; step < 10; step++) {
      session.send('game', bytes(`ship 1 at ${step}`), 'state', 1)
      session.send('game', bytes(`ship 2 at ${step}`), 'state', 2)
    }
    await world.clock.advance(1000)
    expect(clientLog).toEqual([
      'game state ship 1 at 0',
      'game state ship 2 at 9',
      'game state ship 1 at 9',
    ])
    expect(session.stats()).toMatchObject({ stateReplaced: 17, stateDropped: 0 })
  })

  test('that buffers without saying so gets no state frames beyond what it may hold', async () => {
    const world = new World({ wire: { delayMs: 100 }, limits: { stateHoldBytes: 2000 } })
    const { session, clientLog } = await world.open()
    clientLog.length = 0
    for (let step = 0; step < 50; step++) {
      session.send('game', new Uint8Array(500).fill(65 + step), 'state', 1)
    }
    await world.clock.advance(1000)
    expect(clientLog.length).toBeLessThan(10)
    expect(clientLog.at(-1)).toContain(text(Uint8Array.of(65 + 49)))
  })
})

describe('when too much is unacknowledged', () => {
  const limits = { maxUnackedFrames: 8, maxUnackedBytes: 2000, maxUnackedAgeMs: 10_000 }

  test.each([
    ['frames', 9, 1],
    ['bytes', 3, 900],
  ])('by %s, the link is closed as slow and the next one starts clean', async (_, count, size) => {
    const world = new World({ limits, wire: { delayMs: 5 } })
    const { session, client, clientLog, serverLog } = await world.open()
    for (let i = 0; i < count; i++) session.send('game', new Uint8Array(size))
    expect(serverLog).toEqual(['lost 4002 of link 1'])
    expect(session.send('game', bytes('lost as well'))).toBe(false)
    await world.clock.advance(10)
    expect(clientLog.at(-1)).toBe('lost 4002')
    clientLog.length = serverLog.length = 0
    session.on('resumed', () => {
      session.setRoute('game', 'bound')
      session.send('game', bytes('snapshot'))
    })
    world.attach(client)
    await world.clock.advance(100)
    expect(clientLog).toEqual([
      'resumed false lost 0',
      'route game 1 lost',
      'route game 2 bound',
      'game reliable snapshot',
    ])
    expect(serverLog[0]).toMatch(/^resumed false lost \d+$/)
    expect(session.stats().unackedBytes).toBeLessThan(100)
  })

  test('by age, likewise: old commands are not carried out late', async () => {
    const world = new World({ limits })
    const { session, client, wire, clientLog } = await world.open()
    await world.clock.advance(200)
    wire.cut()
    session.send('game', bytes('too old one day'))
    await world.clock.advance(10_001)
    clientLog.length = 0
    world.attach(client)
    await world.clock.advance(100)
    expect(clientLog).toEqual(['resumed false lost 0', 'route game 1 lost'])
    expect(session.routes.get('game')).toEqual({ epoch: 1, state: 'unbound' })
    expect(session.stats().lost).toBe(1)
  })

  test('one frame larger than the bound may pass when nothing else waits', async () => {
    const world = new World({ limits })
    const { session, clientLog } = await world.open()
    await world.clock.advance(200)
    session.send('game', new Uint8Array(5000).fill(120))
    await world.clock.advance(200)
    expect(clientLog.at(-1)).toHaveLength('game reliable '.length + 5000)
    expect(session.state).toBe('open')
  })
})

describe('limits on what the player sends', () => {
  test('a frame above the bound closes with a code', async () => {
    const world = new World({ limits: { maxFrameBytes: 1000, byteBurst: 4000 } })
    const { wire, clientLog, serverLog } = await world.open()
    wire.client.send(new Uint8Array(1001))
    await world.clock.advance(10)
    expect(serverLog.at(-1)).toContain('closed 4111 fresh')
    expect(clientLog.at(-1)).toContain('closed 4111 fresh')
    expect(world.server.stats().sessionCloses).toEqual({ frameTooLarge: 1 })
  })

  test('the client refuses to make such a frame', async () => {
    const world = new World({ limits: { maxFrameBytes: 1000, byteBurst: 4000 } })
    const { client } = await world.open()
    expect(() => client.send('game', new Uint8Array(985))).toThrow(SessionError)
    expect(() => client.send('game', new Uint8Array(985))).toThrow(
      expect.objectContaining({ code: 'SESSION_FRAME_TOO_LARGE' }),
    )
    client.send('game', new Uint8Array(984))
    await world.clock.advance(10)
    expect(client.state).toBe('open')
  })

  test('the server refuses to make one above its own bound', async () => {
    const world = new World({ limits: { maxServerFrameBytes: 2000 } })
    const { session } = await world.open()
    expect(() => session.send('game', new Uint8Array(1985))).toThrow(
      expect.objectContaining({ code: 'SESSION_FRAME_TOO_LARGE' }),
    )
  })

  const ping = Uint8Array.of(0x21, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)

  test('more messages than the burst close with a code, whatever they are', async () => {
    const world = new World({ limits: { messageBurst: 20, messagesPerSecond: 10 } })
    const { wire, serverLog, session } = await world.open()
    await world.clock.advance(500)
    // The client has heard one frame of the server, which its acknowledgements must say.
    const honest = ping.slice()
    honest[1] = 1
    for (let i = 0; i < 20; i++) wire.client.send(honest)
    await world.clock.advance(1)
    expect(session.state).toBe('open')
    wire.client.send(honest)
    await world.clock.advance(1)
    expect(serverLog.at(-1)).toContain('closed 4112 fresh')
    expect(world.server.stats().sessionCloses).toEqual({ rateLimited: 1 })
  })

  test('more bytes than the burst close with a code', async () => {
    const world = new World({
      limits: { maxFrameBytes: 1000, byteBurst: 4000, bytesPerSecond: 1000, messageBurst: 1000 },
    })
    const { wire, serverLog } = await world.open()
    await world.clock.advance(500)
    const frame = new Uint8Array(1000)
    frame.set([0x11, 1, 0, 0, 0, 0, 0, 1])
    for (let i = 0; i < 4; i++) wire.client.send(frame)
    await world.clock.advance(1)
    expect(serverLog.filter((line) => line.startsWith('closed'))).toEqual([])
    wire.client.send(frame)
    await world.clock.advance(1)
    expect(serverLog.at(-1)).toContain('closed 4112 fresh')
  })

  test('a new link does not fill the buckets again', async () => {
    const world = new World({ limits: { messageBurst: 20, messagesPerSecond: 1 } })
    const { client, wire, serverLog } = await world.open()
    await world.clock.advance(500)
    const honest = ping.slice()
    honest[1] = 1
    for (let i = 0; i < 15; i++) wire.client.send(honest)
    await world.clock.advance(1)
    wire.cut()
    const next = world.attach(client)
    await world.clock.advance(50)
    for (let i = 0; i < 15; i++) next.client.send(honest)
    await world.clock.advance(1)
    expect(serverLog.at(-1)).toContain('closed 4112 fresh')
  })

  test.each([
    ['garbage', Uint8Array.of(0xff, 1, 2, 3), 4110],
    ['a frame only servers send', Uint8Array.of(0x12, 1, 0, 0, 0, 0, 0), 4110],
    [
      'a hello inside the session',
      Uint8Array.of(1, 0x52, 0x54, 0x53, 1, 1, 0, 0, ...new Uint8Array(14)),
      4110,
    ],
    ['an acknowledgement of the future', Uint8Array.of(0x20, 99, 0, 0, 0, 0, 0), 4110],
    ['an acknowledgement of state never sent', Uint8Array.of(0x20, 1, 0, 0, 0, 1, 0), 4110],
    ['a route epoch never announced', Uint8Array.of(0x11, 1, 0, 0, 0, 0, 0, 9), 4110],
  ])('%s closes with a code', async (_, frame, code) => {
    const world = new World()
    const { wire, serverLog, clientLog } = await world.open()
    await world.clock.advance(200)
    wire.client.send(frame)
    await world.clock.advance(10)
    expect(serverLog.at(-1)).toContain(`closed ${code} fresh`)
    expect(clientLog.at(-1)).toContain(`closed ${code} fresh`)
  })

  test('a gap in the sequence closes the link, and the resume fills it', async () => {
    const world = new World()
    const { wire, client, session, serverLog, clientLog } = await world.open()
    await world.clock.advance(200)
    wire.client.send(Uint8Array.of(0x10, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 120))
    await world.clock.advance(10)
    expect(serverLog.at(-1)).toBe('lost 4003 of link 1')
    expect(clientLog.at(-1)).toBe('lost 4003')
    client.send('game', bytes('y'))
    world.attach(client)
    await world.clock.advance(10)
    expect(serverLog.slice(-2)).toEqual(['resumed true lost 0', 'game reliable y'])
    expect(session.state).toBe('open')
  })

  test('a frame that comes twice is delivered once and counted', async () => {
    const world = new World()
    const { wire, session, client, serverLog } = await world.open()
    await world.clock.advance(200)
    client.send('game', bytes('x'))
    await world.clock.advance(10)
    wire.client.send(Uint8Array.of(0x10, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 120))
    await world.clock.advance(10)
    expect(serverLog).toEqual(['game reliable x'])
    expect(session.stats().duplicates).toBe(1)
  })
})

test('statistics of all sessions add up, and those of ended ones stay', async () => {
  const world = new World()
  const ada = await world.open('ada')
  const bob = await world.open('bob')
  ada.client.send('game', bytes('x'))
  await world.clock.advance(300)
  ada.session.close()
  await world.clock.advance(10)
  const { traffic } = world.server.stats()
  expect(traffic.framesIn).toBe(ada.session.stats().framesIn + bob.session.stats().framesIn)
  expect(traffic.bytesOut).toBe(ada.session.stats().bytesOut + bob.session.stats().bytesOut)
  expect(world.server.stats()).toMatchObject({ open: 1, opened: 2, sessionCloses: { kicked: 1 } })
})

test('an undone listener hears no more, and the others still do', async () => {
  const world = new World()
  const { session, client } = await world.open()
  const heard = logServer(session)
  const undo = session.on('message', () => heard.push('other'))
  undo()
  undo()
  client.send('game', bytes('x'))
  await world.clock.advance(10)
  expect(heard).toEqual(['game reliable x'])
})

test('a sealer that fails costs the link, not the session, and is told to the server', async () => {
  const sealer = testSealer()
  let isBroken = false
  const world = new World({
    tokens: {
      seal: (record) => {
        if (isBroken) throw new Error('no key')
        return sealer.seal(record)
      },
      open: sealer.open,
    },
  })
  const { client, session, wire, clientLog } = await world.open()
  isBroken = true
  wire.cut()
  world.attach(client)
  await world.clock.advance(10)
  expect(clientLog.at(-1)).toBe('lost 4008')
  expect(session.state).toBe('waiting')
  const bob = world.client('bob')
  world.attach(bob)
  await world.clock.advance(10)
  expect([bob.state, world.errors.length]).toEqual(['waiting', 2])
  isBroken = false
  world.attach(client)
  world.attach(bob)
  await world.clock.advance(10)
  expect([client.state, bob.state, session.state]).toEqual(['open', 'open', 'open'])
})
