import { currentCall, settle, withCall, type RpcTable } from '@rts/rpc'
import { describe, expect, it } from 'vitest'
import type { PlayerSession } from '../src/backend.ts'
import { World } from './support/world.ts'

class Chat {
  static readonly rpc = {
    say: 'player',
    whoAmI: 'player',
    ban: 'server',
  } as const satisfies RpcTable<Chat>
  readonly said: string[] = []
  say(text: string): number {
    return this.said.push(text)
  }
  whoAmI(): string {
    const { caller, nodeId } = currentCall()
    return `${caller} ${nodeId}`
  }
  ban(name: string): string {
    return `${name} is gone`
  }
}

class Bag {
  static readonly rpc = { open: 'player' } as const satisfies RpcTable<Bag>
  readonly owner: string
  constructor(owner: string) {
    this.owner = owner
  }
  open(): string {
    return `bag of ${this.owner}`
  }
}

class Hud {
  static readonly rpc = { show: 'server', ask: 'server' } as const satisfies RpcTable<Hud>
  readonly shown: string[] = []
  show(text: string): void {
    this.shown.push(text)
  }
  ask(question: string): string {
    return `${question}? yes`
  }
}

const logger = (): { lines: string[]; debug(): void; warn(message: string): void } => {
  const lines: string[] = []
  return { lines, debug: () => {}, warn: (message) => void lines.push(message) }
}

describe('PlayerSessions', () => {
  it('lets a player call services open to players and the server call the player', async () => {
    await using world = new World()
    await world.gate()
    const sessions: PlayerSession[] = []
    const lobby = await world.backend('lobby_1', (session) => void sessions.push(session))
    lobby.rpc.expose('chat', new Chat())
    const player = await world.player()
    const hud = new Hud()
    player.rpc.expose('hud', hud)
    await world.until(() => sessions.length === 1)
    expect(await world.run(player.remote<typeof Chat>('lobby', 'chat').say('hi'))).toBe(1)
    const remote = sessions[0]!.remote<typeof Hud>('hud')
    expect(await world.run(remote.ask('ready'))).toBe('ready? yes')
    expect(sessions[0]).toMatchObject({
      id: player.session.id,
      account: 'player_1',
      route: 'lobby',
      gateId: 'gate_1',
      state: 'open',
      identity: { account: 'player_1', realm: 'west' },
    })
  })

  it('takes a player for a player, whatever the server link that carries the frames has earned', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.backend('lobby_1')
    lobby.rpc.expose('chat', new Chat())
    lobby.rpc.serve('entity_1', new Chat())
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    const chat = player.remote<typeof Chat>('lobby', 'chat')
    expect(await world.run(chat.whoAmI())).toBe(`player ${player.session.id}`)
    const asServer = chat as unknown as { ban(name: string): Promise<string> }
    await expect(world.run(asServer.ban('bob'))).rejects.toMatchObject({
      code: 'RPC_FORBIDDEN',
      executed: 'no',
    })
    // What gates and backends say to each other is not for players either.
    for (const service of ['gate', 'rts.players']) {
      const remote = player.remote<typeof Chat>('lobby', service) as unknown as {
        kick(id: string): Promise<void>
        flow(id: string): Promise<void>
      }
      const call = service === 'gate' ? remote.kick('x') : remote.flow('x')
      await expect(world.run(call)).rejects.toMatchObject({ executed: 'no' })
    }
  })

  it('offers an object exposed on a session to that player alone', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.backend('lobby_1', (session) => {
      session.expose('bag', new Bag(session.account))
      session.expose(`bag of ${session.account}`, new Bag(session.account))
    })
    const [ann, bob] = [await world.player('gate_1', 'ann'), await world.player('gate_1', 'bob')]
    await world.until(() => lobby.players.size === 2)
    expect(await world.run(ann.remote<typeof Bag>('lobby', 'bag').open())).toBe('bag of ann')
    expect(await world.run(bob.remote<typeof Bag>('lobby', 'bag').open())).toBe('bag of bob')
    await expect(
      world.run(bob.remote<typeof Bag>('lobby', 'bag of ann').open()),
    ).rejects.toMatchObject({ code: 'RPC_UNKNOWN_SERVICE', executed: 'no' })
  })

  it('holds the calls of a player until an async onSession is done', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.backend('lobby_1', async (session) => {
      await new Promise<void>((resolve) => void world.clock.setTimer(500, resolve))
      session.expose('bag', new Bag(session.account))
    })
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    const since = world.clock.now()
    expect(await world.run(player.remote<typeof Bag>('lobby', 'bag').open())).toBe(
      'bag of player_1',
    )
    expect(world.clock.now() - since).toBeGreaterThan(400)
  })

  it('takes a player whatever else onSession returns, as an arrow function that ends with expose does', async () => {
    await using world = new World()
    await world.gate()
    const hello = (session: PlayerSession): unknown =>
      session.expose('bag', new Bag(session.account))
    const lobby = await world.backend('lobby_1', hello as (session: PlayerSession) => void)
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    expect(await world.run(player.remote<typeof Bag>('lobby', 'bag').open())).toBe(
      'bag of player_1',
    )
  })

  it('refuses a player whose onSession fails or takes too long, and the gate tries again', async () => {
    await using world = new World()
    await world.gate()
    const tries: number[] = []
    const rpc = (await world.rawBackend('other_1')).rpc
    void rpc
    const lobby = await world.backend('lobby_1', (session) => {
      tries.push(world.clock.now())
      if (tries.length === 1) throw new Error('the store is away')
      if (tries.length === 2) return new Promise(() => {})
      session.expose('bag', new Bag(session.account))
      return undefined
    })
    const player = await world.player()
    await world.until(() => tries.length === 3, 30_000)
    expect(tries[2]! - tries[1]!).toBeGreaterThanOrEqual(10_000)
    await world.until(() => player.state('lobby') === 'bound')
    expect(lobby.players.size).toBe(1)
    expect(await world.run(player.remote<typeof Bag>('lobby', 'bag').open())).toBe(
      'bag of player_1',
    )
  })

  it('tells when the player has no link and when there is one again, and loses nothing between', async () => {
    await using world = new World()
    await world.gate()
    const events: string[] = []
    const hud = new Hud()
    const lobby = await world.backend('lobby_1', (session) => {
      session.on('away', () => events.push('away'))
      session.on('back', () => events.push('back'))
    })
    const player = await world.player()
    player.rpc.expose('hud', hud)
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    const remote = session.remote<typeof Hud>('hud')
    world.network.cut('gate_1', 'host_1')
    await world.until(() => session.state === 'away')
    const shown = Promise.all([1, 2, 3].map((index) => remote.show(`line ${index}`)))
    await world.clock.advance(100)
    await world.run(player.dial('sim://gate_1:1'))
    await world.run(shown)
    expect(hud.shown).toEqual(['line 1', 'line 2', 'line 3'])
    expect(player.resumed).toEqual([true])
    expect(events).toEqual(['away', 'back'])
  })

  it('closes the sessions of a gate whose link is gone, with a code', async () => {
    await using world = new World()
    await world.gate()
    const ends: number[] = []
    const lobby = await world.backend('lobby_1', (session) => {
      session.on('closed', ({ code }) => ends.push(code))
    })
    await world.player()
    await world.player()
    await world.until(() => lobby.players.size === 2)
    const pending = settle(lobby.players.sessions[0]!.remote<typeof Hud>('hud').ask('well'))
    world.crash('gate_1')
    await world.until(() => ends.length === 2)
    expect(ends).toEqual([1006, 1006])
    expect(lobby.players.size).toBe(0)
    const [error] = await world.run(pending)
    expect(error).toMatchObject({ code: 'RPC_CLOSED', executed: 'maybe' })
  })

  it('binds another route of its player, and each node has its own session of them', async () => {
    await using world = new World()
    await world.gate()
    const lobby = await world.backend('lobby_1')
    const game = await world.backend('game_1', (session) => {
      session.expose('bag', new Bag('the game'))
    })
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    await world.run(session.bind('game', 'game_1'))
    expect(game.players.get(session.id)).toMatchObject({ route: 'game', account: 'player_1' })
    await world.until(() => player.state('game') === 'bound')
    expect(await world.run(player.remote<typeof Bag>('game', 'bag').open())).toBe('bag of the game')
    await world.run(session.unbind('game'))
    await world.until(() => game.players.size === 0 && player.state('game') === 'unbound')
    expect(session.state).toBe('open')
    await expect(world.run(session.bind('game', 'game_9'))).rejects.toMatchObject({
      code: 'GATE_UNKNOWN_NODE',
    })
  })

  it('ends the whole session of a player it closes, with that code, at every backend', async () => {
    await using world = new World()
    await world.gate()
    const ends: string[] = []
    const note = (where: string) => (session: PlayerSession) => {
      session.on('closed', ({ code, reason }) => ends.push(`${where} ${code} ${reason}`))
    }
    const lobby = await world.backend('lobby_1', note('lobby'))
    const game = await world.backend('game_1', note('game'))
    const player = await world.player()
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    await world.run(session.bind('game', 'game_1'))
    game.players.get(session.id)!.close(4500, 'cheating')
    await world.until(() => player.closed !== undefined && ends.length === 2)
    expect(player.closed).toMatchObject({ code: 4500, reason: 'cheating', kind: 'stop' })
    expect(ends.toSorted()).toEqual(['game 4500 cheating', 'lobby 4500 cheating'])
    expect(() => session.close(1000)).toThrow(RangeError)
    await expect(session.bind('game', 'game_1')).rejects.toMatchObject({
      code: 'GATE_SESSION_CLOSED',
    })
  })

  it('lets go of its players when it closes, and gates take them elsewhere', async () => {
    await using world = new World()
    await world.gate()
    const one = await world.backend('lobby_1')
    const two = await world.backend('lobby_2')
    const player = await world.player()
    await world.until(() => one.players.size === 1)
    one.players.close()
    await world.until(() => two.players.size === 1)
    await world.until(() => player.state('lobby') === 'bound')
    expect(player.session.state).toBe('open')
  })

  it('refuses a virtual link that does not come from a gate', async () => {
    await using world = new World()
    const lobby = await world.backend('lobby_1')
    const stranger = world.node('stranger', 'tool')
    const peer = await world.run(stranger.connect('sim://lobby_1:1'))
    const closes: number[] = []
    for (const meta of [undefined, { session: 'x' }, 'gate', { session: '', account: '' }]) {
      const link = peer.openVirtualLink(meta)
      link.onClose = (code) => void closes.push(code)
    }
    await world.until(() => closes.length === 4)
    expect(closes).toEqual([4403, 4403, 4403, 4403])
    expect(lobby.players.size).toBe(0)
  })

  it('refuses calls to a player who does not read, rather than keep them all', async () => {
    await using world = new World()
    const gate = await world.gate()
    const lobby = await world.backend('lobby_1')
    const player = await world.player()
    const hud = new Hud()
    player.rpc.expose('hud', hud)
    await world.until(() => lobby.players.size === 1)
    const session = lobby.players.get(player.session.id!)!
    const remote = withCall(session.remote<typeof Hud>('hud'), { timeoutMs: 60_000 })
    world.network.cut('gate_1', 'host_1')
    await world.until(() => session.state === 'away')
    const errors: unknown[] = []
    let shown = 0
    for (let index = 0; index < 100; index += 1) {
      remote.show('x'.repeat(10_000)).then(
        () => (shown += 1),
        (error: unknown) => errors.push(error),
      )
      await world.clock.advance(2)
    }
    expect(gate.stats().pauses).toBe(1)
    expect(errors.length).toBeGreaterThan(10)
    expect(errors[0]).toMatchObject({ code: 'RPC_OVERLOADED', executed: 'no' })
    await world.run(player.dial('sim://gate_1:1'))
    await world.until(() => shown + errors.length === 100)
    expect(player.resumed).toEqual([true])
    expect(hud.shown).toHaveLength(shown)
    await world.run(remote.show('and on'))
  })

  it('says what is wrong with its options', async () => {
    await using world = new World()
    const log = logger()
    void log
    const rpc = world.node('lobby_1', 'lobby')
    const { PlayerSessions } = await import('../src/backend.ts')
    expect(() => new PlayerSessions(rpc, { onSession: () => {}, maxSessions: 0 })).toThrow(
      /maxSessions/,
    )
  })
})
