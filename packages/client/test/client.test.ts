import { notify, settle, withCall } from '@rts/rpc'
import { CLOSE } from '@rts/session'
import { describe, expect, it } from 'vitest'
import { Client, ClientError } from '../src/index.ts'
import { Chat, Hud, World } from './support/world.ts'

describe('Client: calls both ways', () => {
  it('opens a session and calls a service of the server a route is bound to', async () => {
    await using world = new World()
    const gate = await world.gate()
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const client = await world.connected()
    expect([client.state, client.sessionId]).toEqual(['open', gate.session.id])
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    expect(await world.run(remote.say('hello'))).toBe(1)
    expect(client.route('lobby').state).toBe('bound')
  })

  it('is called by the server, before it has made a call itself', async () => {
    await using world = new World()
    const gate = await world.gate()
    const client = world.client()
    client.expose('hud', new Hud())
    await world.run(client.connect())
    const peer = gate.backend.peers.get(`${client.sessionId} lobby`)!
    expect(await world.run(peer.service<typeof Hud>('hud').ask('ready'))).toBe('ready? yes')
  })

  it('takes withCall and notify on its remotes, kept for as long as one likes', async () => {
    await using world = new World()
    const gate = await world.gate()
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const client = await world.connected()
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    const short = withCall(remote, { timeoutMs: 50 })
    const oneWay = notify(remote)
    const state = notify(remote, { unreliable: true })
    const since = world.clock.now()
    await expect(world.run(short.wait())).rejects.toMatchObject({ code: 'RPC_TIMEOUT' })
    expect(world.clock.now() - since).toBeLessThan(100)
    expect(oneWay.note(1)).toBe(true)
    expect(state.note(2)).toBe(true)
    await world.clock.advance(20)
    gate.bind('lobby')
    await world.clock.advance(20)
    oneWay.note(3)
    expect(await world.run(short.say('still'))).toBe(1)
    expect(chat.noted).toEqual([1, 2, 3])
  })

  it('hears state-lane notifications through the same services', async () => {
    await using world = new World()
    const gate = await world.gate()
    const hud = new Hud()
    const client = world.client()
    client.expose('hud', hud)
    await world.run(client.connect())
    const peer = gate.backend.peers.get(`${client.sessionId} lobby`)!
    const state = notify(peer.service<typeof Hud>('hud'), { unreliable: true })
    state.move(1)
    await world.until(() => hud.moves.length === 1)
    expect(hud.moves).toEqual([1])
  })

  it('reaches nothing that is not open to players', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const remote = client.remote<typeof Chat>('lobby', 'chat') as unknown as {
      ban(): Promise<void>
      nothing(): Promise<void>
    }
    await expect(world.run(remote.ban())).rejects.toMatchObject({ code: 'RPC_FORBIDDEN' })
    await expect(world.run(remote.nothing())).rejects.toMatchObject({
      code: 'RPC_UNKNOWN_METHOD',
    })
    const other = client.remote<typeof Chat>('lobby', 'nobody')
    await expect(world.run(other.say('x'))).rejects.toMatchObject({ code: 'RPC_UNKNOWN_SERVICE' })
  })

  it('takes back what it exposed', async () => {
    await using world = new World()
    const gate = await world.gate()
    const client = world.client()
    const undo = client.expose('hud', new Hud())
    await world.run(client.connect())
    const hud = gate.backend.peers.get(`${client.sessionId} lobby`)!.service<typeof Hud>('hud')
    expect(await world.run(hud.ask('there'))).toBe('there? yes')
    undo()
    await expect(world.run(hud.ask('there'))).rejects.toMatchObject({
      code: 'RPC_UNKNOWN_SERVICE',
    })
  })

  it('refuses arguments larger than the gate takes, without harm to the session', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    await expect(world.run(remote.say('x'.repeat(20_000)))).rejects.toMatchObject({
      code: 'RPC_TOO_LARGE',
      executed: 'no',
    })
    expect(await world.run(remote.say('fine'))).toBe(1)
  })
})

describe('Client: routes come and go', () => {
  it('has a call wait until its route is bound', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const call = client.remote<typeof Chat>('game', 'chat').say('first')
    await world.clock.advance(1000)
    gate.bind('game')
    expect(await world.run(call)).toBe(1)
  })

  it('ends a call whose route is not bound in time, surely not executed', async () => {
    await using world = new World()
    await world.gate()
    const client = await world.connected()
    const remote = withCall(client.remote<typeof Chat>('game', 'chat'), { timeoutMs: 500 })
    const since = world.clock.now()
    await expect(world.run(remote.say('x'))).rejects.toMatchObject({
      code: 'RPC_TIMEOUT',
      executed: 'no',
    })
    expect(world.clock.now() - since).toBeLessThan(700)
  })

  it('ends a waiting call by its signal', async () => {
    await using world = new World()
    await world.gate()
    const client = await world.connected()
    const abort = new AbortController()
    const call = settle(
      withCall(client.remote<typeof Chat>('game', 'chat'), { signal: abort.signal }).say('x'),
    )
    await world.clock.advance(100)
    abort.abort(new Error('never mind'))
    const [error] = await world.run(call)
    expect(error?.message).toBe('never mind')
  })

  it('fails calls on an unbound route with its code when told to', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected({ whenUnbound: 'fail' })
    const remote = client.remote<typeof Chat>('game', 'chat')
    await expect(world.run(remote.say('x'))).rejects.toMatchObject({ code: 'CLIENT_ROUTE_LOST' })
    gate.bind('game')
    await world.until(() => client.route('game').state === 'bound')
    expect(await world.run(remote.say('y'))).toBe(1)
  })

  it('fails the calls of an older epoch with maybe, and sends new ones to the new binding', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    expect(await world.run(remote.say('one'))).toBe(1)
    const pending = settle(remote.wait())
    await world.clock.advance(20)
    gate.bind('lobby')
    const [error] = await world.run(pending)
    expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    expect(await world.run(remote.say('two'))).toBe(2)
  })

  it('fails pending calls at once when the route is lost, and has later ones wait for the next binding', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const routes: string[] = []
    client.on('route', ({ name, state }) => routes.push(`${name} ${state}`))
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    const pending = settle(remote.wait())
    await world.clock.advance(20)
    gate.lose('lobby')
    const [error] = await world.run(pending)
    expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    const later = remote.say('later')
    await world.clock.advance(500)
    gate.bind('lobby')
    expect(await world.run(later)).toBe(1)
    expect(routes).toEqual(['lobby lost', 'lobby bound'])
  })

  it('is not confused by a route that is bound, lost and bound again in one breath', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const call = client.remote<typeof Chat>('game', 'chat').say('first')
    await world.clock.advance(100)
    world.network.stall('player', 'gate_1', true)
    gate.bind('game')
    gate.lose('game')
    gate.bind('game')
    gate.bind('game')
    await world.clock.advance(100)
    world.network.stall('player', 'gate_1', false)
    expect(await world.run(call)).toBe(1)
    gate.bind('game')
    gate.lose('game')
    await world.until(() => client.route('game').state === 'lost')
    gate.bind('game')
    expect(await world.run(client.remote<typeof Chat>('game', 'chat').say('second'))).toBe(2)
  })

  it('begins a new session when a server breaks the protocol on a route', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const first = client.sessionId
    gate.session.send('lobby', Uint8Array.of(0xff, 1, 2, 3))
    await world.until(() => client.sessionId !== undefined && client.sessionId !== first)
    await world.until(() => client.state === 'open')
    expect(await world.run(client.remote<typeof Chat>('lobby', 'chat').say('on'))).toBe(1)
  })

  it('refuses calls rather than keep them all while there is no link', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      limits: { messagesPerSecond: 0, bytesPerSecond: 0 },
    })
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const client = await world.connected()
    const remote = withCall(client.remote<typeof Chat>('lobby', 'chat'), { timeoutMs: 60_000 })
    await world.run(remote.say('first'))
    world.network.partition('player', 'gate_1', true)
    const outcomes: unknown[] = []
    for (let index = 0; index < 200; index += 1) {
      remote.say('x'.repeat(8000)).then(
        () => outcomes.push('said'),
        (error: unknown) => outcomes.push((error as { code: string }).code),
      )
      await world.clock.advance(1)
    }
    const refused = outcomes.filter((outcome) => outcome === 'RPC_OVERLOADED').length
    expect(refused).toBeGreaterThan(50)
    world.network.partition('player', 'gate_1', false)
    await world.until(() => outcomes.length === 200, 30_000)
    expect(outcomes.filter((outcome) => outcome === 'said')).toHaveLength(200 - refused)
    expect(client.stats().resets).toBe(0)
    expect(chat.said).toHaveLength(201 - refused)
  })
})

describe('Client: links and gates come and go', () => {
  it('dials again by itself after a cut and loses nothing', async () => {
    await using world = new World()
    const gate = await world.gate()
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const client = await world.connected()
    const states: string[] = []
    client.on('state', (state) => states.push(state))
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    await world.clock.advance(6000)
    const calls: Promise<number>[] = []
    for (let index = 0; index < 30; index += 1) {
      calls.push(remote.say(`${index}`))
      if (index % 10 === 5) world.network.cut('player', 'gate_1')
      await world.clock.advance(1)
    }
    expect(await world.run(Promise.all(calls))).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    expect(chat.said).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`))
    expect(states.at(-1)).toBe('open')
    expect(client.stats()).toMatchObject({ sessionsOpened: 1, resets: 0 })
    expect(client.stats().resumes).toBeGreaterThan(0)
  })

  it('tries the gates in order and goes on for ever, with pauses that grow', async () => {
    await using world = new World()
    const client = world.client({ gates: ['sim://gone_1:1', 'sim://gone_2:1', 'sim://gate_1:1'] })
    const connecting = client.connect({ timeoutMs: 10 * 60_000 })
    await world.clock.advance(5 * 60_000)
    const { dials, dialsFailed } = client.stats()
    expect(dialsFailed).toBe(dials)
    expect(dials % 3).toBe(0)
    expect(dials).toBeGreaterThan(3 * 25)
    expect(dials).toBeLessThan(3 * 70)
    await world.gate('gate_1')
    await world.run(connecting)
    expect(client.stats().gate).toBe('sim://gate_1:1')
  })

  it('moves to the next gate when its own is dead, and the session goes on if that gate knows it', async () => {
    await using world = new World()
    const adopt = ({ account }: { account: string }): { account: string } => ({ account })
    const first = await world.gate('gate_1', { adopt })
    const second = await world.gate('gate_2', { adopt })
    for (const gate of [first, second]) gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected({ gates: ['sim://gate_1:1', 'sim://gate_2:1'] })
    const { sessionId } = client
    const resumed: boolean[] = []
    client.on('resumed', ({ recovered }) => resumed.push(recovered))
    world.network.host('gate_1').abort()
    await world.until(() => resumed.length === 1)
    expect(resumed).toEqual([false])
    expect([client.sessionId, client.stats().gate]).toEqual([sessionId, 'sim://gate_2:1'])
    expect(await world.run(client.remote<typeof Chat>('lobby', 'chat').say('hi'))).toBe(1)
  })

  it('asks for a new ticket when the session is gone, and tells that it is a new one', async () => {
    await using world = new World()
    const gate = await world.gate()
    let tickets = 0
    const client = world.client({ ticket: async () => `ann ${(tickets += 1)}` })
    const opened: string[] = []
    const lost: string[] = []
    const routes: string[] = []
    client.on('opened', ({ sessionId }) => opened.push(sessionId))
    client.on('lost', ({ kind }) => lost.push(kind))
    client.on('route', ({ state }) => routes.push(state))
    await world.run(client.connect())
    await world.until(() => routes.length === 1)
    gate.session.close(CLOSE.sessionUnknown, 'restarted')
    await world.until(() => opened.length === 2 && routes.length === 3)
    expect(tickets).toBe(2)
    expect(opened[0]).not.toBe(opened[1])
    expect(lost).toEqual(['fresh'])
    expect(routes).toEqual(['bound', 'lost', 'bound'])
    expect(gate.sessions.map(({ account }) => account)).toEqual(['ann 1', 'ann 2'])
  })

  it('waits longer and longer when sessions open and are closed at once', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.server.on('session', (session) => session.close(CLOSE.protocolError, 'no'))
    const client = world.client()
    client.connect().catch(() => {})
    await world.clock.advance(60_000)
    expect(client.stats().dials).toBeGreaterThan(5)
    expect(client.stats().dials).toBeLessThan(30)
  })

  it('goes on when no ticket can be had, until one can', async () => {
    await using world = new World()
    await world.gate()
    let tries = 0
    const client = world.client({
      ticket: () => {
        tries += 1
        if (tries < 4) throw new Error('the login server is away')
        return 'ann'
      },
    })
    await world.run(client.connect())
    expect(tries).toBe(4)
  })

  it('gives up a gate that takes the link and says nothing', async () => {
    await using world = new World()
    await world.gate()
    const mute = world.network.host('mute')
    await mute.listen('sim://mute:1', { trust: 'player' }, () => {})
    const client = world.client({
      gates: ['sim://mute:1', 'sim://gate_1:1'],
      openTimeoutMs: 1000,
    })
    await world.run(client.connect())
    expect(world.clock.now()).toBeLessThan(2000)
    expect(client.stats().gate).toBe('sim://gate_1:1')
  })
})

describe('Client: the end', () => {
  it('stops when the ticket is refused, with the code of the refusal', async () => {
    await using world = new World()
    await world.gate()
    const client = world.client({ ticket: 'bad ticket' })
    const closed: unknown[] = []
    client.on('closed', (end) => closed.push(end))
    const [error] = await world.run(settle(client.connect()))
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toMatchObject({
      code: 'CLIENT_STOPPED',
      close: { code: CLOSE.authRefused, reason: 'TICKET_EXPIRED' },
    })
    expect(client.state).toBe('closed')
    expect(closed).toEqual([{ code: CLOSE.authRefused, reason: 'TICKET_EXPIRED' }])
    const { dials } = client.stats()
    await world.clock.advance(60_000)
    expect(client.stats().dials).toBe(dials)
    await expect(client.connect()).rejects.toMatchObject({ code: 'CLIENT_STOPPED' })
  })

  it('stops when it is kicked, and ends every call', async () => {
    await using world = new World()
    const gate = await world.gate()
    gate.backend.rpc.expose('chat', new Chat())
    const client = await world.connected()
    const pending = settle(client.remote<typeof Chat>('lobby', 'chat').wait())
    const waiting = settle(client.remote<typeof Chat>('game', 'chat').wait())
    await world.clock.advance(20)
    gate.session.close(4500, 'cheating')
    const [first] = await world.run(pending)
    const [second] = await world.run(waiting)
    expect(first).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
    expect(second).toMatchObject({ code: 'RPC_CLOSED', executed: 'no' })
    expect(client.state).toBe('closed')
    await expect(client.connect()).rejects.toMatchObject({
      code: 'CLIENT_STOPPED',
      close: { code: 4500, reason: 'cheating' },
    })
  })

  it('closes its session at the gate, once, and leaves nothing running', async () => {
    const world = new World()
    const gate = await world.gate()
    const client = await world.connected()
    const session = gate.session
    await world.run(Promise.all([client.close('enough'), client.close()]))
    await world.until(() => session.state === 'closed')
    await expect(client.connect()).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
    await expect(
      world.run(client.remote<typeof Chat>('lobby', 'chat').say('x')),
    ).rejects.toMatchObject({ code: 'RPC_CLOSED' })
    await world.run(gate.close())
    await world.clock.advance(60_000)
    expect(world.clock.pending).toBe(0)
  })

  it('gives up connecting by its signal or in its time, and is closed then', async () => {
    await using world = new World()
    const abort = new AbortController()
    const client = world.client()
    const connecting = settle(client.connect({ signal: abort.signal }))
    await world.clock.advance(100)
    abort.abort(new Error('never mind'))
    const [error] = await world.run(connecting)
    expect(error?.message).toBe('never mind')
    expect(client.state).toBe('closed')

    const other = world.client()
    await expect(world.run(other.connect({ timeoutMs: 1000 }))).rejects.toMatchObject({
      code: 'CLIENT_CONNECT_TIMEOUT',
    })
    expect(other.state).toBe('closed')
  })

  it('says which option is wrong', async () => {
    await using world = new World()
    const options = { transports: [world.network.host('x')], gates: ['sim://g:1'], ticket: 't' }
    expect(() => new Client({ ...options, gates: [] })).toThrow(/gates/)
    expect(() => new Client({ ...options, gates: ['ws://g:1'] })).toThrow(/no transport/)
    expect(() => new Client({ ...options, dialTimeoutMs: 0 })).toThrow(/dialTimeoutMs/)
  })
})
