import { describe, expect, test } from 'vitest'
import { encodeFrame } from '../src/server-frame-encoder.ts'
import type { Terms } from '../src/frame.ts'
import { CLOSE, ClientSession } from '../src/index.ts'
import { bytes, logClient, World } from './support/world.ts'

test('is idle, opening, open, waiting, open again, closed', async () => {
  const world = new World({ wire: { delayMs: 5 } })
  const client = world.client()
  const log = logClient(client)
  const states: string[] = [client.state]
  const wire = world.attach(client)
  states.push(client.state)
  await world.clock.advance(20)
  states.push(client.state)
  wire.cut()
  states.push(client.state)
  world.attach(client)
  states.push(client.state)
  await world.clock.advance(20)
  states.push(client.state)
  client.close()
  client.close()
  states.push(client.state)
  expect(states).toEqual(['idle', 'opening', 'open', 'waiting', 'opening', 'open', 'closed'])
  expect(log).toEqual([
    'opened',
    'lost 1006',
    'resumed true lost 0',
    'closed 4200 stop closed by the client',
  ])
})

test('keeps its id across links', async () => {
  const world = new World()
  const { client, wire } = await world.open()
  const { id } = client
  wire.cut()
  world.attach(client)
  await world.clock.advance(10)
  expect(client.id).toBe(id)
})

test('what is sent while away arrives after the resume, in order, once', async () => {
  const world = new World()
  const { client, session, wire, clientLog, serverLog } = await world.open()
  wire.cut()
  clientLog.length = serverLog.length = 0
  for (const word of ['a', 'b', 'c']) {
    client.send('game', bytes(word))
    session.send('game', bytes(word.toUpperCase()))
    client.send('game', bytes(`at ${word}`), 'state')
  }
  world.attach(client)
  await world.clock.advance(100)
  expect(clientLog).toEqual([
    'resumed true lost 0',
    'game reliable A',
    'game reliable B',
    'game reliable C',
  ])
  expect(serverLog).toEqual([
    'resumed true lost 0',
    'game reliable a',
    'game state at c',
    'game reliable b',
    'game reliable c',
  ])
})

test('a reliable frame that arrived is not sent again; one that did not is', async () => {
  const world = new World({ wire: { delayMs: 10 } })
  const { client, session, wire, serverLog } = await world.open()
  client.send('game', bytes('arrived'))
  await world.clock.advance(15)
  client.send('game', bytes('under way'))
  await world.clock.advance(5)
  wire.cut()
  world.attach(client)
  await world.clock.advance(200)
  expect(serverLog.filter((line) => line.startsWith('game'))).toEqual([
    'game reliable arrived',
    'game reliable under way',
  ])
  expect(client.stats()).toMatchObject({ resent: 1, lost: 0, unackedFrames: 0, links: 2 })
  expect(session.stats().duplicates).toBe(0)
})

describe('the ticket', () => {
  test('is asked for at each hello, and may take its time', async () => {
    const world = new World()
    let asked = 0
    const client = world.client('', {
      ticket: async () => {
        asked += 1
        await Promise.resolve()
        return 'ada'
      },
    })
    world.attach(client).cut()
    world.attach(client)
    await world.clock.advance(50)
    expect(client.state).toBe('open')
    expect(asked).toBe(2)
  })

  test.each([
    ['that cannot be had', new Error('offline'), 'no ticket could be had'],
    ['refused with a code', Object.assign(new Error(), { code: 'HTTP_DOWN' }), 'HTTP_DOWN'],
  ])('%s loses the link and is asked for again with the next', async (_, error, reason) => {
    const world = new World()
    let isDown = true
    const client = world.client('', { ticket: () => (isDown ? Promise.reject(error) : 'ada') })
    const reasons: string[] = []
    client.on('lost', ({ code, reason: why }) => reasons.push(`${code} ${why}`))
    world.attach(client)
    await world.clock.advance(50)
    expect(reasons).toEqual([`${CLOSE.ticketFailed} ${reason}`])
    isDown = false
    world.attach(client)
    await world.clock.advance(50)
    expect(client.state).toBe('open')
  })

  test('too long for a handshake is a failed ticket', async () => {
    const world = new World()
    const client = world.client('x'.repeat(5000))
    const log = logClient(client)
    world.attach(client)
    await world.clock.advance(50)
    expect(log).toEqual(['lost 4009'])
  })

  test('that comes after its link has gone is not used', async () => {
    const world = new World()
    const answers: ((ticket: string) => void)[] = []
    const client = world.client('', {
      ticket: () => new Promise((resolve) => answers.push(resolve)),
    })
    const first = world.attach(client)
    world.attach(client)
    answers[0]?.('eve')
    await world.clock.settle()
    expect(first.client.sent).toBe(0)
    answers[1]?.('ada')
    await world.clock.advance(10)
    expect([...world.server.sessions.values()].map(({ account }) => account)).toEqual(['ada'])
  })

  test('that never comes runs into the deadline', async () => {
    const world = new World({ handshakeTimeoutMs: 60_000 })
    const client = world.client('', { ticket: () => new Promise(() => {}), openTimeoutMs: 2000 })
    const log = logClient(client)
    const wire = world.attach(client)
    await world.clock.advance(1999)
    expect(client.state).toBe('opening')
    await world.clock.advance(1)
    expect(log).toEqual(['lost 4000'])
    expect(wire.client.isOpen).toBe(false)
  })
})

test('a server that does not answer runs into the deadline', async () => {
  const world = new World()
  const client = world.client()
  const log = logClient(client)
  client.attach(world.wire().client)
  await world.clock.advance(10_000)
  expect(log).toEqual(['lost 4000'])
  expect(client.state).toBe('waiting')
})

test('a resume is given no longer than the server may be silent', async () => {
  const world = new World({ heartbeatMs: 500 })
  const { client, wire, clientLog } = await world.open()
  wire.cut()
  client.attach(world.wire().client)
  await world.clock.advance(1249)
  expect(clientLog.at(-1)).toBe('lost 1006')
  await world.clock.advance(1)
  expect(clientLog.at(-1)).toBe('lost 4000')
})

test('a refused login ends with the code of the application', async () => {
  const world = new World({
    authenticate: () => {
      throw Object.assign(new Error('x'), { code: 'TICKET_EXPIRED' })
    },
  })
  const client = world.client()
  const log = logClient(client)
  world.attach(client)
  await world.clock.advance(10)
  expect(log).toEqual(['closed 4201 stop TICKET_EXPIRED'])
})

test('attach after the end closes the link and changes nothing', async () => {
  const world = new World()
  const { client, clientLog } = await world.open()
  client.close()
  const wire = world.wire()
  client.attach(wire.client)
  expect(wire.client.isOpen).toBe(false)
  expect(client.state).toBe('closed')
  expect(clientLog.filter((line) => line.startsWith('closed'))).toHaveLength(1)
})

test('sends nothing after the end', async () => {
  const world = new World()
  const { client } = await world.open()
  client.close()
  expect(client.send('game', bytes('x'))).toBe(false)
  await world.clock.advance(100_000)
  expect(world.clock.pending).toBe(0)
})

describe('when too much is unacknowledged', () => {
  const limits = { maxUnackedFrames: 4, maxUnackedAgeMs: 5000 }

  test('the session starts clean with the next link and says what was lost', async () => {
    const world = new World()
    const { client, session, wire, clientLog, serverLog } = await world.open('ada', { limits })
    await world.clock.advance(200)
    wire.cut()
    for (let i = 0; i < 7; i++) client.send('game', bytes(`${i}`))
    expect(client.stats()).toMatchObject({ unackedFrames: 0, lost: 7 })
    clientLog.length = serverLog.length = 0
    session.on('resumed', ({ recovered }) => {
      if (!recovered) session.setRoute('game', 'bound')
    })
    world.attach(client)
    await world.clock.advance(10)
    client.send('game', bytes('goes on'))
    await world.clock.advance(10)
    expect(clientLog).toEqual([
      'resumed false lost 7',
      'route game 1 lost',
      'drain',
      'route game 2 bound',
    ])
    expect(serverLog).toEqual(['resumed false lost 0', 'game reliable goes on'])
  })

  test('a link in use is closed as slow', async () => {
    const world = new World()
    const { client, wire, clientLog } = await world.open('ada', { limits })
    await world.clock.advance(200)
    wire.swallow('down')
    for (let i = 0; i < 5; i++) client.send('game', bytes(`${i}`))
    expect(clientLog.at(-1)).toBe('lost 4002')
    expect(client.state).toBe('waiting')
  })

  test('what is too old is not carried out late', async () => {
    const world = new World()
    const { client, wire, clientLog, serverLog } = await world.open('ada', { limits })
    await world.clock.advance(200)
    wire.cut()
    client.send('game', bytes('buy the sword'))
    await world.clock.advance(5001)
    world.attach(client)
    await world.clock.advance(100)
    expect(clientLog).toContain('resumed false lost 1')
    expect(serverLog.filter((line) => line.startsWith('game'))).toEqual([])
  })

  test('even when it grows too old while the resume is under way', async () => {
    const world = new World({ wire: { delayMs: 10 } })
    const { client, wire, clientLog } = await world.open('ada', { limits })
    await world.clock.advance(200)
    wire.cut()
    client.send('game', bytes('x'))
    await world.clock.advance(4990)
    world.attach(client)
    await world.clock.advance(100)
    expect(clientLog.at(-1)).toBe('lost 4002')
    world.attach(client)
    await world.clock.advance(100)
    expect(clientLog.slice(-2)).toEqual(['resumed false lost 1', 'route game 1 lost'])
  })
})

describe('a server that cannot be trusted', () => {
  const terms: Terms = {
    heartbeatMs: 5000,
    heartbeatTimeoutMs: 12_500,
    resumeWindowMs: 60_000,
    maxFrameBytes: 16_384,
    maxServerFrameBytes: 1000,
    messagesPerSecond: 60,
    messageBurst: 120,
    bytesPerSecond: 32_768,
    byteBurst: 131_072,
  }
  const welcome = {
    type: 'welcome',
    protocol: 1,
    codec: 'msgpack',
    compression: 'none',
    sessionId: 'abc',
    token: bytes('token'),
    terms,
  } as const
  const acks = { ack: 0, stateAck: 0 } as const
  const route = { type: 'route', ...acks, seq: 1, epoch: 1, state: 'bound', name: 'game' } as const

  async function hear(...frames: Uint8Array[]): Promise<string[]> {
    const world = new World()
    const client = world.client()
    const log = logClient(client)
    const wire = world.wire()
    client.attach(wire.client)
    for (const frame of frames) wire.server.send(frame)
    await world.clock.advance(10)
    return log
  }

  test.each([
    ['garbage for a welcome', [bytes('<html>')]],
    [
      'a resumed for a hello',
      [
        encodeFrame({
          type: 'resumed',
          token: bytes('t'),
          recovered: true,
          lastReceived: 0,
          terms,
        }),
      ],
    ],
    ['an answer longer than any handshake', [new Uint8Array(5000)]],
    ['a second welcome', [encodeFrame(welcome), encodeFrame(welcome)]],
    ['garbage after the welcome', [encodeFrame(welcome), Uint8Array.of(0x99)]],
    [
      'an acknowledgement of the future',
      [encodeFrame(welcome), encodeFrame({ type: 'ack', ack: 1, stateAck: 0 })],
    ],
    [
      'a route announced twice',
      [encodeFrame(welcome), encodeFrame(route), encodeFrame({ ...route, seq: 2 })],
    ],
    [
      'more routes than anyone has',
      [
        encodeFrame(welcome),
        ...Array.from({ length: 257 }, (_, i) =>
          encodeFrame({ ...route, seq: i + 1, epoch: i + 1, name: `r${i}` }),
        ),
      ],
    ],
  ])('%s ends the session with a code', async (_, frames) => {
    const log = await hear(...frames)
    expect(log.at(-1)).toMatch(/^closed 4110 fresh /)
  })

  test('a frame above what it said itself ends the session', async () => {
    const log = await hear(encodeFrame(welcome), new Uint8Array(1001))
    expect(log.at(-1)).toMatch(/^closed 4111 fresh /)
  })

  test.each([{ protocol: 2 }, { codec: 'json' }, { compression: 'zstd' }])(
    'a welcome with %o that was not offered is refused',
    async (change) => {
      const log = await hear(encodeFrame({ ...welcome, ...change }))
      expect(log.at(-1)).toMatch(/^closed 4204 stop /)
    },
  )

  test('frames under an epoch that is not bound are dropped and counted', async () => {
    const world = new World()
    const client = world.client()
    const wire = world.wire()
    client.attach(wire.client)
    for (const frame of [
      welcome,
      { type: 'state', ...acks, epoch: 5, payload: bytes('x') } as const,
    ]) {
      wire.server.send(encodeFrame(frame))
    }
    await world.clock.advance(10)
    expect(client.stats().staleRoute).toBe(1)
    expect(client.state).toBe('open')
  })

  test.each([
    [4429, 'lost 4429'],
    [1008, 'lost 1008'],
    [4504, 'lost 4504'],
    [CLOSE.replaced, 'closed 4202 stop x'],
    [CLOSE.tokenExpired, 'closed 4103 fresh x'],
  ])('a link closed with %i, and no word before, means "%s"', async (code, expected) => {
    const world = new World()
    const { wire, clientLog } = await world.open()
    wire.server.close(code, 'x')
    await world.clock.advance(10)
    expect(clientLog.at(-1)).toBe(expected)
  })
})

test('options out of range are refused by name', () => {
  const ticket = (): string => 'x'
  expect(() => new ClientSession({ ticket, openTimeoutMs: 0 })).toThrow('openTimeoutMs')
  expect(() => new ClientSession({ ticket, limits: { maxUnackedBytes: 10 } })).toThrow(
    'maxUnackedBytes',
  )
  expect(() => new ClientSession({ ticket, limits: { slowTimeoutMs: 0.5 } })).toThrow(RangeError)
})
