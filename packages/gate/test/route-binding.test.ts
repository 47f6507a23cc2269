import { CLOSE, type RouteState } from '@rts/session'
import { describe, expect, it } from 'vitest'
import type { GateService } from '../src/gate-service.ts'
import type { Player } from './support/player.ts'
import { World } from './support/world.ts'

const states = (player: Player, route: string): RouteState[] =>
  player.routes.filter(({ name }) => name === route).map(({ state }) => state)

const service = (world: World, from: string, gate = 'gate_1') =>
  world.node(from, 'tool').at<typeof GateService>(`sim://${gate}:2`, 'gate')

describe('RouteBinding: a backend is lost', () => {
  it('tells the player at once and binds the route to another node', async () => {
    await using world = new World()
    const gate = await world.gate()
    const first = await world.rawBackend('lobby_1')
    const second = await world.rawBackend('lobby_2')
    const player = await world.player()
    await world.until(() => first.links.length === 1)
    const before = player.session.route('lobby').epoch

    world.crash('lobby_1')
    await world.until(() => second.links.length === 1)
    await world.until(() => player.state('lobby') === 'bound')
    expect(states(player, 'lobby')).toEqual(['bound', 'lost', 'bound'])
    expect(player.session.route('lobby').epoch).toBeGreaterThan(before)
    expect(player.session.state).toBe('open')
    expect(gate.stats().routes).toMatchObject({ lost: 1, opened: 2, open: 1 })
  })

  it('parks what the player sends meanwhile and hands it to the next backend in order', async () => {
    await using world = new World()
    const gate = await world.gate()
    const first = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => first.links.length === 1)

    world.crash('lobby_1')
    // The directory still names it, so the route is promised while the dials fail.
    await world.until(() => states(player, 'lobby').length === 3)
    const sent = Array.from({ length: 20 }, (_, index) => `frame ${index}`)
    for (const text of sent) player.say('lobby', text)
    await world.until(() => gate.stats().parked.frames === 20)

    world.directory.nodes.delete('lobby_1')
    const next = await world.rawBackend('lobby_2')
    await world.until(() => next.frames.length === 20)
    expect(next.frames).toEqual(sent)
    expect(states(player, 'lobby')).toEqual(['bound', 'lost', 'bound'])
    expect(gate.stats().parked).toMatchObject({ frames: 0, bytes: 0, total: 20, dropped: 0 })
  })

  it('never hands a frame of an older epoch to the next backend', async () => {
    await using world = new World()
    await world.gate()
    const first = await world.rawBackend('lobby_1')
    const second = await world.rawBackend('lobby_2')
    const player = await world.player()
    await world.until(() => first.links.length === 1)

    world.crash('lobby_1')
    // The player does not know yet: these are meant for the backend that is gone.
    for (let index = 0; index < 10; index += 1) player.say('lobby', `old ${index}`)
    await world.until(() => second.links.length === 1 && player.state('lobby') === 'bound')
    await world.until(() => states(player, 'lobby').length === 3)
    player.say('lobby', 'new')
    await world.until(() => second.frames.length > 0)
    await world.clock.advance(1000)
    expect(second.frames).toEqual(['new'])
  })

  it('says lost when what is parked grew too old, and bound when a backend is there', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', { limits: { maxParkedAgeMs: 1000 } })
    const first = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => first.links.length === 1)
    world.crash('lobby_1')
    await world.until(() => states(player, 'lobby').length === 3)
    player.say('lobby', 'waits in vain')
    await world.until(() => player.state('lobby') === 'lost')
    expect(gate.stats().parked).toMatchObject({ frames: 0, dropped: 1, tooOld: 1 })

    world.directory.nodes.delete('lobby_1')
    const next = await world.rawBackend('lobby_2')
    await world.until(() => next.links.length === 1)
    await world.until(() => player.state('lobby') === 'bound')
    expect(states(player, 'lobby')).toEqual(['bound', 'lost', 'bound', 'lost', 'bound'])
    expect(next.frames).toEqual([])
  })

  it('says lost when more is sent than may be parked', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', { limits: { maxParkedBytes: 1000 } })
    const first = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => first.links.length === 1)
    world.crash('lobby_1')
    await world.until(() => states(player, 'lobby').length === 3)
    for (let index = 0; index < 11; index += 1) player.say('lobby', 'x'.repeat(100))
    await world.until(() => player.state('lobby') === 'lost')
    expect(gate.stats().parked).toMatchObject({ frames: 0, bytes: 0, dropped: 10, tooMany: 1 })
  })

  it('goes on trying for ever while no node is known, with pauses that grow', async () => {
    await using world = new World()
    const gate = await world.gate()
    const player = await world.player()
    await world.clock.advance(60_000)
    const { failed } = gate.stats().routes
    expect(failed).toBeGreaterThan(12)
    expect(failed).toBeLessThan(30)
    expect(states(player, 'lobby')).toEqual([])
    await world.rawBackend('lobby_1')
    await world.until(() => player.state('lobby') === 'bound')
  })

  it('drops the state lane while there is no backend: it would be old when there is', async () => {
    await using world = new World()
    const gate = await world.gate()
    const first = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => first.links.length === 1)
    world.crash('lobby_1')
    await world.until(() => states(player, 'lobby').length === 3)
    player.session.send('lobby', Buffer.from('state'), 'state')
    await world.until(() => gate.stats().stateDropped === 1)
    expect(gate.stats().parked.total).toBe(0)
  })

  it('gives up a dial to a node at once when the directory says it has left', async () => {
    await using world = new World()
    await world.gate()
    const away = await world.rawBackend('lobby_1')
    world.network.partition('gate_1', 'lobby_1', true)
    const player = await world.player()
    await world.clock.advance(100)
    const there = await world.rawBackend('lobby_2')
    const since = world.clock.now()
    world.directory.leave('lobby_1')
    await world.until(() => there.links.length === 1)
    expect(world.clock.now() - since).toBeLessThan(500)
    expect(away.links).toEqual([])
    await world.until(() => player.state('lobby') === 'bound')
  })

  it('closes the session when the backend finds the bytes of the player malformed', async () => {
    await using world = new World()
    const gate = await world.gate()
    await world.backend('lobby_1')
    const player = await world.player()
    await world.until(() => player.state('lobby') === 'bound')
    player.say('lobby', 'this is no rpc')
    await world.until(() => player.closed !== undefined)
    expect(player.closed).toMatchObject({ code: CLOSE.protocolError, kind: 'fresh' })
    expect(gate.stats().routes.refusedBytes).toBe(1)
  })

  it('does not blame the player when the link to the backend itself breaks', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    for (const peer of lobby.rpc.peers) peer.close(4400, 'a malformed frame')
    await world.until(() => lobby.links.length === 2)
    await world.until(() => player.state('lobby') === 'bound')
    expect(player.session.state).toBe('open')
  })

  it('lets go of a backend that sends more than a player takes, and of nothing else', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    lobby.links[0]!.link.send(new Uint8Array(300_000))
    await world.until(() => lobby.links[0]!.closed !== undefined)
    expect(lobby.links[0]!.closed).toContain('more than a player takes')
    await world.until(() => lobby.links.length === 2)
    expect(player.session.state).toBe('open')
  })
})

describe('RouteBinding: bind and unbind', () => {
  it('binds a route to a node when a server asks, and answers when the node has the player', async () => {
    await using world = new World()
    await world.gate()
    await world.rawBackend('lobby_1')
    const game = await world.rawBackend('game_1')
    const player = await world.player()
    const epoch = await world.run(service(world, 'tool').bind(player.session.id!, 'game', 'game_1'))
    expect(game.links).toHaveLength(1)
    expect(game.links[0]!.meta).toMatchObject({ route: 'game', epoch })
    await world.until(() => player.state('game') === 'bound')
    expect(player.session.route('game').epoch).toBe(epoch)
  })

  it('keeps the old binding when the new node is not reached', async () => {
    await using world = new World()
    await world.gate()
    const game = await world.rawBackend('game_1')
    const player = await world.player()
    const tool = service(world, 'tool')
    await world.run(tool.bind(player.session.id!, 'game', 'game_1'))
    world.directory.nodes.set('game_2', {
      target: { id: 'game_2', url: 'sim://game_2:1' },
      role: 'game',
    })
    await expect(world.run(tool.bind(player.session.id!, 'game', 'game_2'))).rejects.toMatchObject({
      code: 'GATE_UNREACHABLE',
    })
    player.say('game', 'still here')
    await world.until(() => game.frames.length === 1)
    expect(states(player, 'game')).toEqual(['bound'])
  })

  it('moves a route: the old link ends with the new node named, and later frames go there', async () => {
    await using world = new World()
    await world.gate()
    const [one, two] = [await world.rawBackend('game_1'), await world.rawBackend('game_2')]
    const player = await world.player()
    const tool = service(world, 'tool')
    await world.run(tool.bind(player.session.id!, 'game', 'game_1'))
    await world.until(() => player.state('game') === 'bound')
    player.say('game', 'to one')
    await world.until(() => one.frames.length === 1)
    await world.run(tool.bind(player.session.id!, 'game', 'game_2'))
    await world.until(() => states(player, 'game').length === 2)
    player.say('game', 'to two')
    await world.until(() => two.frames.length === 1)
    expect([one.frames, two.frames]).toEqual([['to one'], ['to two']])
    expect(one.links[0]!.closed).toBe('4310 bound to game_2')
  })

  it('lets the last of two binds win, and tells the other', async () => {
    await using world = new World()
    await world.gate()
    const [one, two] = [await world.rawBackend('game_1'), await world.rawBackend('game_2')]
    const player = await world.player()
    const tool = service(world, 'tool')
    const both = Promise.allSettled([
      tool.bind(player.session.id!, 'game', 'game_1'),
      tool.bind(player.session.id!, 'game', 'game_2'),
    ])
    const [first, second] = await world.run(both)
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'GATE_SUPERSEDED' } })
    expect(second.status).toBe('fulfilled')
    expect([one.links.length, two.links.length]).toEqual([0, 1])
  })

  it('refuses an unknown session, route or node with its code', async () => {
    await using world = new World()
    await world.gate()
    const player = await world.player()
    const tool = service(world, 'tool')
    const id = player.session.id!
    await expect(world.run(tool.bind('nobody', 'game', 'x'))).rejects.toMatchObject({
      code: 'GATE_UNKNOWN_SESSION',
    })
    await expect(world.run(tool.bind(id, 'nowhere', 'x'))).rejects.toMatchObject({
      code: 'GATE_UNKNOWN_ROUTE',
    })
    await expect(world.run(tool.bind(id, 'game', 'x'))).rejects.toMatchObject({
      code: 'GATE_UNKNOWN_NODE',
    })
  })

  it('refuses to bind to an address where another node answers', async () => {
    await using world = new World()
    await world.gate()
    const game = await world.rawBackend('game_1')
    const player = await world.player()
    const { target } = world.directory.nodes.get('game_1')!
    world.directory.nodes.set('game_2', { target: { id: 'game_2', url: target.url }, role: 'game' })
    await expect(
      world.run(service(world, 'tool').bind(player.session.id!, 'game', 'game_2')),
    ).rejects.toMatchObject({ code: 'GATE_UNREACHABLE' })
    expect(game.links).toEqual([])
  })

  it('unbinds a route and looks for nobody until it is bound again', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    const tool = service(world, 'tool')
    await world.run(tool.unbind(player.session.id!, 'lobby'))
    await world.clock.advance(20_000)
    expect(states(player, 'lobby')).toEqual(['bound', 'unbound'])
    expect(lobby.links).toHaveLength(1)
    expect(lobby.links[0]!.closed).toBe('4311 unbound')
    await world.run(tool.bind(player.session.id!, 'lobby', 'lobby_1'))
    world.crash('lobby_1')
    await world.until(() => player.state('lobby') === 'lost')
  })

  it('keeps a route that is not onOpen lost until a server binds it', async () => {
    await using world = new World()
    await world.gate()
    await world.rawBackend('game_1')
    const second = await world.rawBackend('game_2')
    const player = await world.player()
    const tool = service(world, 'tool')
    await world.run(tool.bind(player.session.id!, 'game', 'game_1'))
    world.crash('game_1')
    await world.until(() => player.state('game') === 'lost')
    await world.clock.advance(20_000)
    expect(second.links).toEqual([])
    await world.run(tool.bind(player.session.id!, 'game', 'game_2'))
    expect(second.links).toHaveLength(1)
  })
})

describe('RouteBinding: back-pressure', () => {
  it('keeps what the player sends while the backend does not read, up to the bound, in order', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      limits: { messagesPerSecond: 0, bytesPerSecond: 0, maxParkedAgeMs: 60_000 },
    })
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => player.state('lobby') === 'bound')
    world.network.stall('gate_1', 'lobby_1', true)
    let sent = 0
    for (; gate.stats().parked.frames < 10 && sent < 500; sent += 1) {
      player.say('lobby', `${sent} ${'x'.repeat(4000)}`)
      await world.clock.advance(1)
    }
    expect(gate.stats().parked.frames).toBeGreaterThan(0)
    // The stall is shorter than what makes the link to the backend count as dead.
    world.network.stall('gate_1', 'lobby_1', false)
    await world.until(() => lobby.frames.length === sent)
    expect(lobby.frames.map((text) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: sent }, (_, index) => index),
    )
    expect(player.session.state).toBe('open')
  })
})
