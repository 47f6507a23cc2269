// Bugs that players of other servers met, by the place where they were reported. Each is a promise here.
import { describe, expect, test } from 'vitest'
import { CLOSE, type ServerSession } from '../src/index.ts'
import { bytes, logClient, logServer, World } from './support/world.ts'

test('a late close of the old link does not touch the new one (pitaya#251, colyseus#950, kbengine#976)', async () => {
  const world = new World()
  const { client, session, wire, serverLog } = await world.open()
  wire.swallow('both')
  world.attach(client)
  await world.clock.advance(10)
  expect(serverLog).toEqual(['resumed true lost 0'])
  // Only now, as behind a proxy that swallowed it, does the end of the old connection arrive.
  wire.server.onClose(1006, 'late')
  wire.server.onMessage(Uint8Array.of(0xff))
  wire.client.onClose(1006, 'late')
  await world.clock.advance(60_000)
  expect([client.state, session.state, session.linkEpoch]).toEqual(['open', 'open', 2])
  expect(serverLog).toEqual(['resumed true lost 0'])
})

test('no message comes before the event of the resume it came with (colyseus#927)', async () => {
  const world = new World()
  const { client, session, wire, clientLog, serverLog } = await world.open()
  wire.cut()
  clientLog.length = serverLog.length = 0
  client.send('game', bytes('up'))
  session.send('game', bytes('down'))
  session.on('resumed', () => session.send('game', bytes('from the listener')))
  world.attach(client)
  await world.clock.advance(10)
  expect(clientLog).toEqual([
    'resumed true lost 0',
    'game reliable down',
    'game reliable from the listener',
  ])
  expect(serverLog).toEqual(['resumed true lost 0', 'game reliable up'])
})

test('a login that is repeated after its deadline makes one session (colyseus#978)', async () => {
  const answers: ((identity: { account: string }) => void)[] = []
  const world = new World({ authenticate: () => new Promise((resolve) => answers.push(resolve)) })
  const sessions: ServerSession[] = []
  world.server.on('session', (session) => sessions.push(session))
  const client = world.client()
  world.attach(client)
  await world.clock.advance(5000)
  expect(client.state).toBe('waiting')
  world.attach(client)
  await world.clock.advance(10)
  answers[1]?.({ account: 'ada' })
  answers[0]?.({ account: 'ada' })
  await world.clock.advance(10)
  expect(sessions).toHaveLength(1)
  expect([client.state, client.id]).toEqual(['open', sessions[0]?.id])
})

test('a bound that was checked before an await is checked again after it (colyseus#678)', async () => {
  const answers: (() => void)[] = []
  const world = new World({
    maxSessions: 10,
    authenticate: (ticket) =>
      new Promise((resolve) => answers.push(() => resolve({ account: ticket }))),
  })
  const clients = Array.from({ length: 50 }, (_, i) => world.client(`player ${i}`))
  for (const client of clients) world.attach(client)
  await world.clock.advance(10)
  for (const answer of answers) answer()
  await world.clock.advance(10)
  expect(world.server.sessions.size).toBe(10)
  expect(clients.filter(({ state }) => state === 'open')).toHaveLength(10)
  expect(world.server.stats().refused).toEqual({ overloaded: 40 })
})

test('a dead socket that will not close does not hold up the next login (pitaya#452)', async () => {
  const world = new World()
  const first = await world.open('ada')
  first.wire.server.close = () => {
    throw new Error('not connected')
  }
  first.wire.server.send = () => {
    throw new Error('not connected')
  }
  const second = await world.open('ada')
  expect(second.session.state).toBe('open')
  expect(first.session.state).toBe('closed')
})

test('messages of one session are handled one after another, in order (pitaya#179, pitaya#261)', async () => {
  const world = new World()
  const { client, session } = await world.open()
  let depth = 0
  let deepest = 0
  const seen: number[] = []
  session.on('message', ({ payload }) => {
    depth += 1
    deepest = Math.max(deepest, depth)
    seen.push(payload[0] ?? -1)
    session.send('game', payload)
    depth -= 1
  })
  for (let i = 0; i < 50; i++) client.send('game', Uint8Array.of(i))
  await world.clock.advance(500)
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i))
  expect(deepest).toBe(1)
})

test('a session that ends while the application still disposes of it leaves no zombie (colyseus#555)', async () => {
  const world = new World()
  const { client, session, serverLog } = await world.open()
  let isDisposed = false
  session.on('closed', async () => {
    await new Promise<void>((resolve) => world.clock.setTimer(1000, resolve))
    session.send('game', bytes('goodbye'))
    session.setRoute('game', 'unbound')
    isDisposed = true
  })
  session.close(CLOSE.kicked, 'out')
  world.attach(client)
  await world.clock.advance(2000)
  expect(isDisposed).toBe(true)
  expect(world.server.sessions.size).toBe(0)
  expect(serverLog).toEqual(['closed 4203 stop out'])
  expect(world.clock.pending).toBe(0)
})

test('a phone back from flight mode is let in at once, its ghost notwithstanding (pomelo#540, pomelo#804)', async () => {
  const world = new World()
  const { client, session, wire } = await world.open()
  wire.swallow('both')
  client.send('game', bytes('into the void'))
  await world.clock.advance(100)
  const heard = logServer(session)
  world.attach(client)
  await world.clock.advance(10)
  expect(heard).toEqual(['resumed true lost 0', 'game reliable into the void'])
})

test('a phone back from flight mode after another login is told so, and does not throw that out', async () => {
  const world = new World()
  const phone = await world.open('ada')
  phone.wire.swallow('both')
  const laptop = await world.open('ada')
  world.attach(phone.client)
  await world.clock.advance(10)
  expect(phone.clientLog.at(-1)).toBe('closed 4202 stop the account logged in again')
  expect(laptop.session.state).toBe('open')
})

test('of two links of one client that arrive in the wrong order the newer one stays', async () => {
  const world = new World()
  const { client, wire, clientLog, session } = await world.open()
  wire.cut()
  world.attach(client, { delayMs: 50 })
  await world.clock.advance(1)
  world.attach(client, { delayMs: 5 })
  await world.clock.advance(500)
  expect(clientLog.slice(-2)).toEqual(['lost 1006', 'resumed true lost 0'])
  expect([client.state, session.state]).toEqual(['open', 'open'])
  expect(world.server.stats().refused).toEqual({ linkSuperseded: 1 })

  const fresh = world.client('bob')
  const log = logClient(fresh)
  world.attach(fresh, { delayMs: 50 })
  await world.clock.advance(1)
  world.attach(fresh, { delayMs: 5 })
  await world.clock.advance(500)
  expect(log).toEqual(['opened'])
  expect(fresh.state).toBe('open')
})

test('a login service that is down does not touch who is in already (GoWorld: the gate quits)', async () => {
  let isDown = false
  const world = new World({
    authenticate: (ticket) => {
      if (isDown) return Promise.reject(new Error('ECONNREFUSED'))
      return { account: ticket }
    },
  })
  const { client, wire, session } = await world.open('ada')
  isDown = true
  const bob = world.client('bob')
  const log = logClient(bob)
  world.attach(bob)
  await world.clock.advance(10)
  expect(log).toEqual(['lost 4008'])
  wire.cut()
  world.attach(client)
  await world.clock.advance(10)
  expect([client.state, session.state]).toEqual(['open', 'open'])
  isDown = false
  world.attach(bob)
  await world.clock.advance(10)
  expect(bob.state).toBe('open')
})

test('a process that slept does not declare its players dead when it wakes (colyseus#968)', async () => {
  const world = new World({ heartbeatMs: 1000, heartbeatTimeoutMs: 2500 })
  const { client, session } = await world.open('ada')
  world.clock.suspend(30_000)
  await world.clock.advance(5000)
  expect([client.state, session.state]).toEqual(['open', 'open'])
})

describe('ten thousand visits leave nothing behind (colyseus#842, nakama#1216)', () => {
  test('neither sessions, handshakes nor timers', async () => {
    const world = new World({ resumeWindowMs: 1000, tokenTtlMs: 2000, maxSessions: 50 })
    for (let round = 0; round < 500; round++) {
      const clients = Array.from({ length: 20 }, (_, i) => world.client(`p${i}`))
      const wires = clients.map((client) => world.attach(client))
      await world.clock.advance(5)
      clients.forEach((client, i) => {
        if (i % 3 === 0) client.close()
        else wires[i]?.cut()
        if (i % 3 === 1) client.close()
      })
    }
    await world.clock.advance(3000)
    expect(world.server.sessions.size).toBe(0)
    expect(world.server.stats()).toMatchObject({
      open: 0,
      waiting: 0,
      pendingHandshakes: 0,
      opened: 10_000,
    })
    expect(world.clock.pending).toBe(0)
  })
})
