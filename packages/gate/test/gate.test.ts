import { RpcNode, type Link } from '@rts/rpc'
import { CLOSE } from '@rts/session'
import { seededRandom } from '@rts/testing'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import type { GateService } from '../src/gate-service.ts'
import { Gate } from '../src/index.ts'
import { World } from './support/world.ts'

/** A link to the gate with nothing above it. */
async function rawLink(world: World, host: string, gate = 'gate_1') {
  const link = await world.run(
    world.network.host(host).dial(`sim://${gate}:1`, {
      trust: 'player',
      maxMessageBytes: 1_000_000,
      clock: world.clock,
      random: world.random,
      signal: new AbortController().signal,
    }),
  )
  const end: { code?: number } = {}
  link.onClose = (code) => {
    end.code = code
  }
  return { link, end }
}

/** A link of that address as a transport would hand it to the gate. */
function acceptedFrom(gate: Gate, remote: string): { link: Link; closed: number | undefined } {
  const accepted: { link: Link; closed: number | undefined } = {
    link: {
      remote,
      bufferedBytes: 0,
      send: () => true,
      close: (code) => {
        accepted.closed = code
      },
      onMessage: () => {},
      onDrain: () => {},
      onClose: () => {},
    },
    closed: undefined,
  }
  gate.accept(accepted.link)
  return accepted
}

describe('Gate: a session and its routes', () => {
  it('binds the routes marked onOpen when a player logs in, and tells the backend who it is', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    expect(lobby.links[0]!.meta).toMatchObject({
      session: player.session.id,
      account: 'player_1',
      route: 'lobby',
      gate: 'gate_1',
      identity: { account: 'player_1', realm: 'west' },
      online: true,
    })
    expect(player.state('lobby')).toBe('bound')
    expect(player.state('game')).toBe('unbound')
  })

  it('carries frames both ways as they are', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    lobby.reply = (text, link) => link.send(Buffer.from(`re: ${text}`))
    const player = await world.player()
    await world.until(() => player.state('lobby') === 'bound')
    player.say('lobby', 'one')
    player.say('lobby', 'two')
    await world.until(() => player.texts.length === 2)
    expect(lobby.frames).toEqual(['one', 'two'])
    expect(player.texts).toEqual(['re: one', 're: two'])
  })

  it('carries the state lane as state', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    lobby.links[0]!.link.sendUnreliable!(Buffer.from('positions'))
    await world.until(() => player.heard.length === 1)
    expect(player.heard[0]).toEqual({ route: 'lobby', text: 'positions', lane: 'state' })
  })

  it('loses, doubles and reorders no reliable frame when links are cut over and over', async () => {
    await using world = new World(42)
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    lobby.reply = (text, link) => link.send(Buffer.from(text))
    const player = await world.player()
    await world.until(() => player.state('lobby') === 'bound')
    const random = seededRandom(42)
    let sent = 0
    for (let round = 0; round < 10; round += 1) {
      for (let index = random.int(20); index >= 0; index -= 1) player.say('lobby', `${sent++}`)
      await world.clock.advance(random.int(8))
      world.network.cut('gate_1', 'host_1')
      await world.clock.advance(random.int(300) + 5)
      await world.run(player.dial('sim://gate_1:1'))
      await world.clock.advance(random.int(50))
    }
    await world.until(() => player.texts.length >= sent)
    await world.clock.advance(1000)
    const wanted = Array.from({ length: sent }, (_, index) => `${index}`)
    expect(lobby.frames).toEqual(wanted)
    expect(player.texts).toEqual(wanted)
    expect(lobby.links).toHaveLength(1)
  })

  it('ends the links of a session with its reason', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    player.session.close('enough')
    await world.until(() => lobby.links[0]!.closed !== undefined)
    expect(lobby.links[0]!.closed).toBe(`${CLOSE.closedByClient} enough`)
  })

  it('begins the binding anew when a player resumes with frames missing', async () => {
    await using world = new World()
    await world.gate('gate_1', { limits: { maxUnackedFrames: 8 } })
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    world.network.cut('gate_1', 'host_1')
    await world.clock.advance(10)
    for (let index = 0; index < 20; index += 1) lobby.links[0]!.link.send(Buffer.from('too many'))
    await world.clock.advance(10)
    await world.run(player.dial('sim://gate_1:1'))
    await world.until(() => lobby.links.length === 2 && player.resumed.length === 1)
    expect(player.resumed).toEqual([false])
    expect(lobby.links[0]!.closed).toContain('4313')
    await world.until(() => player.state('lobby') === 'bound')
    player.say('lobby', 'hello again')
    await world.until(() => lobby.frames.includes('hello again'))
  })

  it('goes on without its registry: sessions, frames and rebinds to nodes it knows', async () => {
    await using world = new World()
    let isAway = false
    const { directory } = world
    await world.gate('gate_1', {
      directory: {
        pick: (role) => (isAway ? undefined : directory.pick(role)),
        find: (id) => (isAway ? undefined : directory.find(id)),
      },
    })
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player()
    await world.until(() => lobby.links.length === 1)
    isAway = true
    await world.clock.advance(60_000)
    player.say('lobby', 'still here')
    await world.until(() => lobby.frames.length === 1)
    const newcomer = await world.player()
    expect(newcomer.session.state).toBe('open')
    isAway = false
    await world.until(() => newcomer.state('lobby') === 'bound')
  })

  it('tells on diagnostics channels what sessions and routes do', async () => {
    const seen: string[] = []
    const onSession = (message: unknown): void => {
      seen.push((message as { event: string }).event)
    }
    const onRoute = (message: unknown): void => {
      const { route, state } = message as { route: string; state: string }
      seen.push(`${route} ${state}`)
    }
    subscribe('rts:gate:session', onSession)
    subscribe('rts:gate:route', onRoute)
    try {
      await using world = new World()
      await world.gate()
      const lobby = await world.rawBackend('lobby_1')
      const player = await world.player()
      await world.until(() => lobby.links.length === 1)
      player.session.close()
      await world.clock.advance(100)
      expect(seen).toEqual(['opened', 'lobby bound', 'closed'])
    } finally {
      unsubscribe('rts:gate:session', onSession)
      unsubscribe('rts:gate:route', onRoute)
    }
  })
})

describe('Gate: another gate takes over', () => {
  it('makes a session of another gate again, binds it, and asks where its other routes were', async () => {
    await using world = new World()
    const lookups: string[] = []
    const options = {
      bindings: async ({ id, account }: { id: string; account: string }) => {
        lookups.push(`${id} ${account}`)
        return { game: 'game_1', lobby: 'lobby_9', nowhere: 'game_1' }
      },
    }
    await world.gate('gate_1', options)
    const second = await world.gate('gate_2', options)
    const lobby = await world.rawBackend('lobby_1')
    const game = await world.rawBackend('game_1')
    const player = await world.player('gate_1', 'ann')
    await world.until(() => lobby.links.length === 1)
    const { id } = player.session
    world.crash('gate_1')
    await world.until(() => player.session.state === 'waiting')
    await world.run(player.dial('sim://gate_2:1'))
    await world.until(() => game.links.length === 1 && lobby.links.length === 2)
    expect(player.session.id).toBe(id)
    expect(player.resumed).toEqual([false])
    expect(lookups).toEqual([`${id} ann`])
    expect(lobby.links[1]!.meta).toMatchObject({ session: id, account: 'ann', gate: 'gate_2' })
    await world.until(() => player.state('game') === 'bound' && player.state('lobby') === 'bound')
    player.say('game', 'back')
    await world.until(() => game.frames.length === 1)
    expect(second.stats().sessions.adopted).toBe(1)
  })

  it('lets the gate where the player is now win at a backend both gates know', async () => {
    await using world = new World()
    const first = await world.gate('gate_1')
    await world.gate('gate_2')
    const lobby = await world.backend('lobby_1')
    const player = await world.player('gate_1')
    await world.until(() => lobby.players.size === 1)
    // The first gate lives on and does not know that the player has gone elsewhere.
    world.network.cut('gate_1', 'host_1')
    await world.clock.advance(10)
    await world.run(player.dial('sim://gate_2:1'))
    await world.until(() => lobby.players.get(player.session.id!)?.gateId === 'gate_2')
    await world.clock.advance(10_000)
    expect(lobby.players.size).toBe(1)
    expect(lobby.players.get(player.session.id!)?.gateId).toBe('gate_2')
    expect(first.stats().sessions).toMatchObject({ open: 0, waiting: 0 })
    expect(player.session.state).toBe('open')
  })

  it('asks adopt who the account is, and has the player log in again when nobody knows', async () => {
    await using world = new World()
    await world.gate('gate_1')
    await world.gate('gate_2', {
      adopt: ({ account }) => (account === 'ann' ? { account, level: 7 } : undefined),
    })
    const lobby = await world.rawBackend('lobby_1')
    for (const name of ['ann', 'bob']) {
      const player = await world.player('gate_1', name)
      await world.until(() => player.state('lobby') === 'bound')
      world.network.cut('gate_1', name === 'ann' ? 'host_1' : 'host_2')
      await world.clock.advance(10)
      await world.run(player.dial('sim://gate_2:1'))
      await world.clock.advance(100)
      if (name === 'ann') expect(player.session.state).toBe('open')
      else expect(player.closed).toMatchObject({ code: CLOSE.sessionUnknown, kind: 'fresh' })
    }
    const adopted = lobby.links.find(({ meta }) => meta['gate'] === 'gate_2')
    expect(adopted!.meta['identity']).toEqual({ account: 'ann', level: 7 })
  })

  it('sends its players away when it stops, and they resume at another gate', async () => {
    await using world = new World()
    const first = await world.gate('gate_1')
    await world.gate('gate_2')
    const lobby = await world.rawBackend('lobby_1')
    const player = await world.player('gate_1')
    await world.until(() => lobby.links.length === 1)
    await world.run(first.stop('going down'))
    await world.until(() => player.session.state === 'waiting')
    await world.until(() => lobby.links[0]!.closed !== undefined)
    expect(lobby.links[0]!.closed).toBe(`${CLOSE.goingAway} going down`)
    await world.run(player.dial('sim://gate_2:1'))
    await world.until(() => player.session.state === 'open')
    await first.stop()
    await expect(first.listen('sim://gate_1:3')).rejects.toMatchObject({ code: 'GATE_STOPPED' })
  })
})

describe('Gate: who gets in', () => {
  it('tells a player whose ticket is refused to stop, with the code', async () => {
    await using world = new World()
    const gate = await world.gate()
    const player = await world.player('gate_1', 'bad ticket')
    await world.until(() => player.closed !== undefined)
    expect(player.closed).toMatchObject({
      code: CLOSE.authRefused,
      reason: 'TICKET_EXPIRED',
      kind: 'stop',
    })
    expect(gate.stats().sessions).toMatchObject({ open: 0, refused: { authRefused: 1 } })
  })

  it('closes a link with garbage on it, whatever the bytes, and serves the others', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      limits: { linkBurstPerHost: 1000, maxLinksPerHost: 1000 },
    })
    const lobby = await world.rawBackend('lobby_1')
    const honest = await world.player()
    const random = seededRandom(9)
    for (let round = 0; round < 200; round += 1) {
      const { link, end } = await rawLink(world, 'stranger')
      link.send(random(1 + random.int(300)))
      await world.until(() => end.code !== undefined, 20_000)
      expect(end.code).toBeGreaterThanOrEqual(4000)
    }
    honest.say('lobby', 'fine')
    await world.until(() => lobby.frames.length === 1)
    expect(gate.stats().sessions.pendingHandshakes).toBe(0)
  })

  it('closes a session that sends garbage after it opened', async () => {
    await using world = new World()
    await world.gate()
    const random = seededRandom(10)
    for (let round = 0; round < 20; round += 1) {
      const player = await world.player()
      player.link!.send(Uint8Array.of(0x30 + random.int(90), ...random(random.int(100))))
      await world.until(() => player.session.state !== 'open')
      expect(player.closed?.code).toBe(CLOSE.protocolError)
    }
  })

  it('refuses too many links of one address, too fast ones, and counts them', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      limits: { maxLinksPerHost: 3, linksPerSecondPerHost: 1, linkBurstPerHost: 5 },
    })
    const links = Array.from({ length: 4 }, () => acceptedFrom(gate, 'tcp://10.0.0.1:5000'))
    expect(links.map(({ closed }) => closed)).toEqual([
      undefined,
      undefined,
      undefined,
      CLOSE.overloaded,
    ])
    links[0]!.link.onClose(1006, 'gone')
    for (let index = 0; index < 2; index += 1) links.push(acceptedFrom(gate, 'tcp://10.0.0.1:5000'))
    links[1]!.link.onClose(1006, 'gone')
    links.push(acceptedFrom(gate, 'tcp://10.0.0.1:5000'))
    links[2]!.link.onClose(1006, 'gone')
    links.push(acceptedFrom(gate, 'tcp://10.0.0.1:5000'))
    expect(links.slice(4).map(({ closed }) => closed)).toEqual([
      undefined,
      CLOSE.overloaded,
      undefined,
      CLOSE.overloaded,
    ])
    await world.clock.advance(1000)
    expect(acceptedFrom(gate, 'tcp://10.0.0.1:5000').closed).toBeUndefined()
    for (let index = 0; index < 10; index += 1)
      expect(acceptedFrom(gate, 'tcp://127.0.0.1:5000').closed).toBeUndefined()
    expect(gate.stats().refusedLinks).toMatchObject({ tooManyOfHost: 2, tooFastFromHost: 1 })
    const other = await world.player()
    expect(other.session.state).toBe('open')
  })

  it('closes a link that says nothing, and one whose login takes too long', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      authenticate: () => new Promise(() => {}),
      handshakeTimeoutMs: 1000,
      authTimeoutMs: 2000,
    })
    const silent = await rawLink(world, 'silent')
    const player = world.newPlayer()
    await world.run(player.dial('sim://gate_1:1'))
    await world.until(() => silent.end.code !== undefined && player.session.state === 'waiting')
    expect(silent.end.code).toBe(CLOSE.handshakeTimeout)
    expect(gate.stats().sessions.refused).toEqual({ handshakeTimeout: 1, authTimeout: 1 })
  })

  it('refuses links past those that may be in a handshake at once', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', { limits: { maxPendingHandshakes: 3 } })
    const links = Array.from({ length: 5 }, () => acceptedFrom(gate, 'tcp://127.0.0.1:5000'))
    expect(links.filter(({ closed }) => closed === CLOSE.overloaded)).toHaveLength(2)
    expect(gate.stats().sessions).toMatchObject({
      pendingHandshakes: 3,
      refused: { overloaded: 2 },
    })
  })

  it('closes a session that sends faster than it may', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', {
      limits: { messagesPerSecond: 10, messageBurst: 20 },
    })
    const player = await world.player()
    // An honest client paces itself: this one pings as fast as it can.
    for (let index = 0; index < 40; index += 1)
      player.link!.send(Uint8Array.of(0x21, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0))
    await world.until(() => player.session.state !== 'open')
    expect(gate.stats().sessions.sessionCloses).toEqual({ rateLimited: 1 })
  })

  it('takes no more sessions than it may, and says that it is full', async () => {
    await using world = new World()
    const gate = await world.gate('gate_1', { limits: { maxSessions: 2 } })
    await world.player()
    await world.player()
    const third = await world.player()
    await world.until(() => third.session.state === 'waiting')
    expect(gate.stats().sessions).toMatchObject({ open: 2, refused: { overloaded: 1 } })
  })

  it('closes the older session of an account that logs in again', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.rawBackend('lobby_1')
    const old = await world.player('gate_1', 'ann')
    await world.until(() => lobby.links.length === 1)
    await world.player('gate_1', 'ann')
    await world.until(() => old.closed !== undefined && lobby.links.length === 2)
    expect(old.closed).toMatchObject({ code: CLOSE.replaced, kind: 'stop' })
    expect(lobby.links[0]!.closed).toContain(`${CLOSE.replaced}`)
  })

  it('opens its service to servers alone: a peer without the cluster key reaches nothing', async () => {
    await using world = new World()
    await world.gate()
    const stranger = new RpcNode({
      id: 'stranger',
      transports: [world.network.host('stranger')],
      clock: world.clock,
      random: world.random.fork(),
    })
    const remote = stranger.at<typeof GateService>('sim://gate_1:2', 'gate')
    await expect(world.run(remote.kick('x', 4203, ''))).rejects.toMatchObject({
      code: 'RPC_FORBIDDEN',
    })
    await world.run(stranger.close())
  })
})

describe('Gate: options', () => {
  it('says which option is wrong', async () => {
    await using world = new World()
    const rpc = world.node('gate_1', 'gate')
    const options = {
      rpc,
      transports: [],
      routes: {},
      directory: world.directory,
      authenticate: () => ({ account: 'x' }),
      tokenKey: new Uint8Array(32),
    }
    expect(() => new Gate({ ...options, tokenKey: new Uint8Array(5) })).toThrow(/tokenKey/)
    expect(() => new Gate({ ...options, dialTimeoutMs: 0 })).toThrow(/dialTimeoutMs/)
    expect(() => new Gate({ ...options, limits: { maxParkedBytes: 0 } })).toThrow(/maxParkedBytes/)
    expect(() => new Gate({ ...options, limits: { maxFrameBytes: 1 } })).toThrow(/maxFrameBytes/)
    const gate = new Gate(options)
    await expect(gate.listen('tcp://127.0.0.1:0')).rejects.toMatchObject({
      code: 'GATE_NO_TRANSPORT',
    })
    await gate.stop()
  })
})
