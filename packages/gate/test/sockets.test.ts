import { RpcNode, systemClock, systemRandom, type RpcTable, type Transport } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { tcp } from '@rts/rpc/tcp'
import { ws } from '@rts/rpc/ws'
import { eventually, TcpFaultProxy } from '@rts/testing'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { PlayerSessions } from '../src/backend.ts'
import { Gate } from '../src/index.ts'
import { Player } from './support/player.ts'
import { TestDirectory } from './support/world.ts'

class Lobby {
  static readonly rpc = { enter: 'player', join: 'player' } as const satisfies RpcTable<Lobby>
  readonly #players: () => PlayerSessions
  readonly #session: string
  constructor(session: string, players: () => PlayerSessions) {
    this.#session = session
    this.#players = players
  }
  enter(name: string): string {
    return `welcome ${name}`
  }
  async join(): Promise<string> {
    const session = this.#players().get(this.#session)!
    await session.bind('game', 'game_1')
    return session.remote<typeof Hud>('hud').ask('joined')
  }
}

class Hud {
  static readonly rpc = { ask: 'server', move: 'server' } as const satisfies RpcTable<Hud>
  readonly moves: number[] = []
  ask(question: string): string {
    return `${question}: yes`
  }
  move(step: number): void {
    this.moves.push(step)
  }
}

class Ships {
  static readonly rpc = { steer: 'player' } as const satisfies RpcTable<Ships>
  readonly steered: number[] = []
  steer(step: number): number {
    this.steered.push(step)
    return step
  }
}

interface Node extends AsyncDisposable {
  readonly rpc: RpcNode
  readonly transport: Transport & { abort(): void }
}

async function startNode(id: string, role: string, directory: TestDirectory): Promise<Node> {
  const transport = tcp()
  const cluster = clusterKey('a secret of this test cluster')
  const rpc = new RpcNode({ id, role, transports: [transport], cluster })
  const { url } = await rpc.listen('tcp://127.0.0.1:0')
  directory.nodes.set(id, { target: { id, url }, role })
  return { rpc, transport, [Symbol.asyncDispose]: () => rpc.close() }
}

function startGate(rpc: RpcNode, directory: TestDirectory): Gate {
  return new Gate({
    rpc,
    transports: [tcp(), ws()],
    routes: { lobby: { onOpen: true }, game: {} },
    directory,
    authenticate: (ticket) => ({ account: ticket }),
    tokenKey: new Uint8Array(32).fill(1),
  })
}

const portOf = (url: string): number => Number(new URL(url.replace(/^\w+/, 'http')).port)

describe.each([
  ['tcp', 'tcp://127.0.0.1:0'],
  ['ws', 'ws://127.0.0.1:0/play'],
])('Gate on real %s sockets', (scheme, listenUrl) => {
  it('carries a player from login through lobby, game, cut links and a crashed backend', async () => {
    const directory = new TestDirectory()
    await using gateNode = await startNode('gate_1', 'gate', directory)
    await using lobbyNode = await startNode('lobby_1', 'lobby', directory)
    await using gameNode = await startNode('game_1', 'game', directory)
    const lobby = new PlayerSessions(lobbyNode.rpc, {
      onSession: (session) => void session.expose('lobby', new Lobby(session.id, () => lobby)),
    })
    const ships = new Ships()
    const game = new PlayerSessions(gameNode.rpc, {
      onSession: (session) => {
        session.expose('ships', ships)
        game.group('room').add(session)
      },
    })
    await using gate = startGate(gateNode.rpc, directory)
    const listener = await gate.listen(listenUrl)
    const target = { host: '127.0.0.1', port: portOf(listener.url) }
    await using proxy = await TcpFaultProxy.listen({ target })
    const playerUrl = listener.url.replace(/:\d+/, `:${proxy.port}`)

    const transport = scheme === 'tcp' ? tcp() : ws()
    const player = new Player(transport, systemClock, systemRandom, 'ann')
    const hud = new Hud()
    player.rpc.expose('hud', hud)
    await player.dial(playerUrl)
    await eventually(() => player.state('lobby') === 'bound')
    const remote = player.remote<typeof Lobby>('lobby', 'lobby')
    expect(await remote.enter('ann')).toBe('welcome ann')
    expect(await remote.join()).toBe('joined: yes')

    await eventually(() => player.state('game') === 'bound')
    const state = game.group('room').remote<typeof Hud>('hud', { lane: 'state' })
    state.move(1)
    await eventually(() => hud.moves.includes(1))

    // Cut in the middle of a stream of calls: the session resumes and every call is made once.
    const calls: Promise<number>[] = []
    for (let step = 0; step < 50; step += 1) {
      calls.push(player.remote<typeof Ships>('game', 'ships').steer(step))
      if (step === 25) proxy.cut()
    }
    await eventually(() => player.session.state === 'waiting')
    await player.dial(playerUrl)
    await Promise.all(calls)
    expect(player.resumed).toEqual([true])
    expect(ships.steered).toEqual(Array.from({ length: 50 }, (_, step) => step))

    gameNode.transport.abort()
    await eventually(() => player.state('game') === 'lost')
    await using second = await startNode('game_2', 'game', directory)
    const next = new PlayerSessions(second.rpc, {
      onSession: (session) => void session.expose('ships', ships),
    })
    await lobby.get(player.session.id!)!.bind('game', 'game_2')
    await eventually(() => player.state('game') === 'bound')
    expect(await player.remote<typeof Ships>('game', 'ships').steer(99)).toBe(99)
    expect(next.size).toBe(1)
    expect(player.session.state).toBe('open')
    player.session.close()
    await player.rpc.close()
  })
})

describe('Gate on real sockets', () => {
  it('closes what is no player: garbage, a 100 MB frame length, half a frame, and serves the others', async () => {
    const directory = new TestDirectory()
    await using gateNode = await startNode('gate_1', 'gate', directory)
    await using lobbyNode = await startNode('lobby_1', 'lobby', directory)
    const lobby = new PlayerSessions(lobbyNode.rpc, {
      onSession: (session) => void session.expose('lobby', new Lobby(session.id, () => lobby)),
    })
    await using gate = startGate(gateNode.rpc, directory)
    const { url } = await gate.listen('tcp://127.0.0.1:0')
    const player = new Player(tcp(), systemClock, systemRandom, 'ann')
    await player.dial(url)
    await eventually(() => player.state('lobby') === 'bound')

    const hundredMegabytes = Buffer.alloc(4)
    hundredMegabytes.writeUInt32LE(100 * 1024 * 1024)
    const before = process.memoryUsage().rss
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      hundredMegabytes,
      Buffer.concat([hundredMegabytes, Buffer.alloc(64 * 1024)]),
      Buffer.from([3, 0, 0, 0, 1, 2, 3]),
      Buffer.from([0, 0, 0, 0]),
      Buffer.alloc(1000, 0xff),
    ]) {
      const socket = connect(portOf(url), '127.0.0.1')
      const ended = new Promise<void>((resolve) => {
        socket.on('close', () => resolve())
        socket.on('error', () => {})
        socket.resume()
      })
      socket.write(bytes)
      await ended
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
    expect(await player.remote<typeof Lobby>('lobby', 'lobby').enter('ann')).toBe('welcome ann')
    expect(gate.stats().sessions).toMatchObject({ open: 1, pendingHandshakes: 0 })
    player.session.close()
    await player.rpc.close()
  })

  it('says which port is in use', async () => {
    const directory = new TestDirectory()
    await using gateNode = await startNode('gate_1', 'gate', directory)
    await using gate = startGate(gateNode.rpc, directory)
    const { url } = await gate.listen('tcp://127.0.0.1:0')
    await expect(gate.listen(url)).rejects.toMatchObject({ code: 'RPC_LISTEN_FAILED' })
  })
})
